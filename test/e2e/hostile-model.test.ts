import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ModelServer, startModelServer } from '../support/model-server.ts'
import { startSystem, type System } from '../support/system.ts'

let model: ModelServer
let system: System
let admin: pg.Client
/** Of everybody: what a model may have read somewhere. */
let ids: readonly { readonly id: string; readonly owner: string }[]
const users = ['ada', 'ben', 'chloe'] as const
type User = (typeof users)[number]
const unlimited = 'requests=off,cost=off,toolCalls=off'

beforeAll(async () => {
  model = await startModelServer()
  system = await startSystem({
    env: {
      MODEL_BASE_URL: model.baseUrl,
      MODEL_NAME: 'hostile',
      LIMIT_USER: unlimited,
      LIMIT_TENANT: 'requests=off,cost=off',
      USER_RUNS: '100',
      USER_TOKENS_PER_DAY: '100000000',
      RUN_TOKENS: '10000000',
    },
  })
  const password = await readFile(join(system.dataDir, 'postgres', 'behalf-password'), 'utf8')
  admin = new pg.Client(`postgres://postgres:${password.trim()}@127.0.0.1:${system.env['POSTGRES_PORT']}/postgres`)
  await admin.connect()
  const { rows } = await admin.query(`select id, user_id as owner from orders.orders
    union all select id, user_id from balance.payees union all select id, user_id from balance.accounts`)
  ids = rows
  for (const user of users) await system.token(user)
}, 180_000)
afterAll(async () => {
  await admin?.end()
  await system?.stop()
  await model?.[Symbol.asyncDispose]()
})

type Body = Record<string, any> // oxlint-disable-line typescript/no-explicit-any
async function ask(user: User, query: string, variables: Record<string, unknown>): Promise<Body> {
  const { body } = await system.graphql(await system.token(user), query, variables)
  return body
}

interface Emitted {
  readonly call: string
  readonly arguments: string
}

/** Anything: every tool and none, with ids of everybody, names that would choose a user, in every wrapping. */
function emitted(user: User): fc.Arbitrary<Emitted> {
  const payees = new Set(
    ids.filter(({ id, owner }) => id.startsWith('pay_') && owner === `usr_${user}`).map(({ id }) => id),
  )
  // But its user's own payees: money that ada really sends is in somebody else's account then.
  const id = fc.constantFrom(
    ...ids.map((each) => each.id).filter((each) => !payees.has(each)),
    ...users.map((name) => `usr_${name}`),
  )
  const wrapped = fc.oneof(
    { weight: 5, arbitrary: id },
    id.map(encodeURIComponent),
    id.map((text) => Buffer.from(text).toString('base64')),
    id.map((text) => `${text}\u0000`),
    id.map((text) => `${text}' or '1'='1`),
    id.map((text) => ({ id: text })),
    id.map((text) => [text]),
    fc.jsonValue(),
  )
  const name = fc.constantFrom(
    'orderId',
    'payeeId',
    'amount',
    'first',
    'after',
    'reason',
    'input',
    'userId',
    'user_id',
    'sub',
    'subject',
    'tenant',
    'tenant_id',
    'id',
    'email',
    'act',
    'scopes',
    'authorization',
    '__proto__',
    'constructor',
    'prototype',
    '__typename',
    '$userId',
  )
  const forged = fc.dictionary(name, wrapped, { maxKeys: 4, noNullPrototype: true })
  const fitting = fc.record({ orderId: id }).chain((known) => fc.constantFrom({ ...known }, { ...known, reason: 'x' }))
  const payment = fc.record({ payeeId: id, amount: fc.constantFrom('1.00', '0.01', '-1.00', '1e9') })
  const page = fc.record({ first: fc.constantFrom(1, 5, 100, 101, -1), after: fc.option(id, { nil: undefined }) })
  const own = fc.constantFrom(
    ...ids.filter((each) => each.owner === `usr_${user}` && each.id.startsWith('ord_')).map((each) => each.id),
  )
  const sensible = fc.oneof(
    ...['get_order_status', 'cancel_order'].flatMap((call) =>
      [own, id].map((each) => of(call, fc.record({ orderId: each }))),
    ),
    of('transfer', payment),
    of('get_balance', fc.constant({})),
    ...['list_orders', 'list_transactions'].map((call) => of(call, fc.record({ first: fc.constantFrom(1, 5, 100) }))),
  )
  const senseless = fc.record({
    call: fc.constantFrom(
      'get_order_status',
      'cancel_order',
      'transfer',
      'list_orders',
      'list_transactions',
      'get_balance',
      'get_order_status',
      'cancel_order',
      'drop_tables',
      'GET_BALANCE',
      '__proto__',
      'toString',
      'graphql',
    ),
    arguments: fc.oneof(
      { weight: 6, arbitrary: fc.oneof(fitting, payment, page).map((value) => JSON.stringify(value)) },
      { weight: 3, arbitrary: fc.tuple(fitting, forged).map(([a, b]) => JSON.stringify({ ...a, ...b })) },
      { weight: 3, arbitrary: forged.map((value) => JSON.stringify(value)) },
      {
        weight: 1,
        arbitrary: fc.constantFrom('', '{', '[]', 'null', '"x"', '{"orderId":', '{}}{', '{"orderId":1e400}'),
      },
    ),
  })
  return fc.oneof(sensible, senseless)
}

const of = (call: string, given: fc.Arbitrary<object>) =>
  given.map((value): Emitted => ({ call, arguments: JSON.stringify(value) }))

const send = (user: User, text: string) =>
  ask(user, `mutation ($input: ChatSendInput!) { chatSend(input: $input) { run { id } error { code } } }`, {
    input: { text, idempotencyKey: randomUUID(), waitMs: 0 },
  })
const open = async (run: string) =>
  (await admin.query('select status, error_code from orchestrator.run where id = $1', [run])).rows[0] as Body

/** The user approves whatever they are asked, whosever it is. */
async function approveAll(user: User): Promise<void> {
  const { data } = await ask(user, '{ viewer { approvals(first: 100, state: PENDING) { id argumentsHash } } }', {})
  for (const { id, argumentsHash: hash } of data.viewer.approvals)
    await ask(
      user,
      `mutation ($id: ID!, $hash: String!) { resolveApproval(id: $id, argumentsHash: $hash, decision: APPROVE) { state } }`,
      { id, hash },
    )
}

async function untilOver(user: User, run: string): Promise<Body> {
  await expect
    .poll(
      async () => {
        const { status } = await open(run)
        if (status === 'AWAITING_APPROVAL') await approveAll(user)
        return status
      },
      { timeout: 120_000, interval: 100 },
    )
    .toMatch(/COMPLETED|INCOMPLETE|FAILED/)
  return open(run)
}

const everything = async () => {
  const { rows } = await admin.query(`select
    (select md5(string_agg(t::text, '|' order by id)) from balance.accounts t) as accounts,
    (select md5(string_agg(t::text, '|' order by id)) from balance.entries t) as entries,
    (select md5(string_agg(t::text, '|' order by id)) from balance.payees t) as payees,
    (select md5(string_agg(t::text, '|' order by id)) from identity.users t) as users`)
  return rows[0] as object
}

describe('[P12] a model that emits anything', () => {
  it("reads and changes nobody's rows but its user's, with many runs of all users at once", async () => {
    const runsOfEach = 6
    const pools = new Map<string, Emitted[]>()
    for (const user of users)
      for (let n = 0; n < runsOfEach; n++)
        pools.set(`${user} ${n}`, fc.sample(emitted(user), { seed: 1000 * n + user.length, numRuns: 7 * 8 }))
    const seen: { user: string; raw: string }[] = []
    model.reply = ({ messages }) => {
      const said = JSON.stringify(messages)
      const [, key = ''] = /I am (\w+ \d+)\./.exec(said) ?? []
      seen.push({ user: key.split(' ')[0] ?? '', raw: JSON.stringify(messages.filter(({ role }) => role === 'tool')) })
      const calls = pools.get(key)?.splice(0, 8) ?? []
      return calls.length === 0 ? { text: `Done, ${key}.` } : { calls }
    }
    const before = await everything()
    const { rows: ordersBefore } = await admin.query('select id, user_id, status from orders.orders order by id')

    const runs = await Promise.all(
      [...pools.keys()].map(async (key) => {
        const user = key.split(' ')[0] as User
        const { data } = await send(user, `I am ${key}.`)
        return { user, key, run: data.chatSend.run.id as string }
      }),
    )
    for (const { user, run } of runs) {
      const { status, error_code: code } = await untilOver(user, run)
      expect(status === 'COMPLETED' || code !== null).toBe(true)
    }

    // What was changed: orders that their own user's run cancelled, and nothing else.
    expect(await everything()).toEqual(before)
    const { rows: ordersAfter } = await admin.query('select id, user_id, status from orders.orders order by id')
    const changed = ordersAfter.filter(({ status }, index) => status !== ordersBefore[index].status)
    const { rows: cancelled } = await admin.query(`select distinct result->'cancelOrder'->>'id' as id, user_id
      from orchestrator.tool_call
      where tool = 'cancel_order' and status = 'SUCCEEDED' and result->'cancelOrder'->>'id' is not null`)
    expect(changed.map(({ id, user_id }) => `${user_id} ${id}`).toSorted()).toEqual(
      cancelled.map(({ id, user_id }) => `${user_id} ${id}`).toSorted(),
    )
    // What was read: every id in a result is of a row of the run's user.
    const { rows: read } = await admin.query(`with named as (
        select c.user_id as reader, (regexp_matches(c.result::text, '(?:ord|ent|pay|trf)_[0-9A-Za-z]+', 'g'))[1] as id
        from orchestrator.tool_call c where c.status = 'SUCCEEDED'),
      owners as (select id, user_id from orders.orders union all select id, user_id from balance.payees
        union all select e.id, a.user_id from balance.entries e join balance.accounts a on a.id = e.account_id
        union all select id, user_id from balance.transfers)
      select count(*)::int as rows, count(*) filter (where o.user_id is distinct from n.reader)::int as foreign
      from named n left join owners o using (id)`)
    const { rows: calls } = await admin.query(
      `select status, coalesce(error_code, '') as code, count(*)::int as calls from orchestrator.tool_call group by 1, 2 order by 1, 2`,
    )
    const made = calls.reduce((sum, row) => sum + row.calls, 0)
    console.info(`${made} calls, ${read[0].rows} rows read, ${changed.length} changed: ${JSON.stringify(calls)}`)
    expect(read[0].foreign).toBe(0)
    expect(read[0].rows).toBeGreaterThan(100)
    expect(made).toBeGreaterThan(users.length * runsOfEach * 40)

    // No run was told what another's user has.
    const ownerOf = new Map(ids.map(({ id, owner }) => [id, owner]))
    for (const { user, raw } of seen)
      for (const [id] of raw.matchAll(/(?:ord|acc)_[0-9A-Za-z]+/g))
        expect([id, ownerOf.get(id)]).toEqual([id, `usr_${user}`])
    const { rows: answers } = await admin.query(
      `select run_id, text from orchestrator.message where role = 'ASSISTANT'`,
    )
    for (const { key, run } of runs)
      expect(answers.filter(({ run_id: of }) => of === run).map(({ text }) => text)).toEqual([`Done, ${key}.`])
  }, 300_000)

  it.each([
    ['10,000 calls', { calls: Array.from({ length: 10_000 }, () => ({ call: 'get_balance', arguments: '{}' })) }, 0],
    [
      'arguments of 5 MB',
      { calls: [{ call: 'get_order_status', arguments: JSON.stringify({ orderId: 'x'.repeat(5_000_000) }) }] },
      1,
    ],
    ['calls with an answer that is over', { calls: [{ call: 'list_orders', arguments: '{}' }], finish: 'stop' }, 1],
    ['calls that were cut off', { calls: [{ call: 'list_orders', arguments: '{}' }], finish: 'length' }, 0],
  ])(
    '%s: ends in a state with a code, and the next run is well',
    async (_what, reply, most) => {
      model.reply = ({ messages }) => (messages.at(-1)?.role === 'tool' ? { text: 'Done.' } : reply)
      const { data } = await send('ada', 'Go.')
      const { status, error_code: code } = await untilOver('ada', data.chatSend.run.id)
      expect(status === 'COMPLETED' || code !== null).toBe(true)
      const { rowCount } = await admin.query('select 1 from orchestrator.tool_call where run_id = $1', [
        data.chatSend.run.id,
      ])
      expect(rowCount).toBeLessThanOrEqual(most)
      model.reply = () => ({ text: 'Well.' })
      const next = (await send('ada', 'Go on.')).data.chatSend.run.id
      expect(await untilOver('ada', next)).toMatchObject({ status: 'COMPLETED' })
    },
    60_000,
  )
})
