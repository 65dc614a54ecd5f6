import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FrontDoor, frontDoor } from '../support/front-door.ts'
import { type Replica, type Replicas, startReplicas } from '../support/replicas.ts'

let door: FrontDoor
let system: Replicas
let one: Replica
let other: Replica
let admin: pg.Pool
/** Holds rows, so that whoever changes them is inside the tool. */
let holder: pg.Client
let token: string

beforeAll(async () => {
  door = await frontDoor()
  system = await startReplicas({ orchestrator: { GATEWAY_INTERNAL_URL: door.url } })
  ;[one, other] = system.all
  door.targets = [one.internal, other.internal]
  admin = new pg.Pool({ connectionString: system.database.url, max: 4 })
  holder = new pg.Client(system.database.url)
  await holder.connect()
  // Every change that is ever committed, whoever makes it.
  await admin.query(`create table public.effect (order_id text not null);
    create function public.count_effect() returns trigger language plpgsql security definer as
      $$ begin insert into public.effect values (new.id); return new; end $$;
    create trigger count_effect after update on orders.orders for each row execute function public.count_effect()`)
  token = await system.token('ada')
}, 300_000)
afterAll(async () => {
  await Promise.all([admin?.end(), holder?.end()])
  await system?.[Symbol.asyncDispose]()
  await door?.[Symbol.asyncDispose]()
})

type Body = Record<string, any> // oxlint-disable-line typescript/no-explicit-any
async function ask(query: string, variables: Record<string, unknown>): Promise<Body> {
  const { body } = await other.graphql(token, query, variables)
  expect(body.errors).toBeUndefined()
  return body.data as Body
}

interface Waiting {
  readonly run: string
  readonly order: string
  approve(): Promise<void>
}
let orders = 0
/** A run that waits for ada's approval. */
async function begin(): Promise<Waiting> {
  const order = `ord_Kill${++orders}`
  await admin.query(`insert into orders.orders values ($1, 'usr_ada', 'PLACED', now(), 10, 'EUR')`, [order])
  const { chatSend } = await ask(
    `mutation ($input: ChatSendInput!) { chatSend(input: $input) { run { id status pendingApprovals { id argumentsHash } } } }`,
    { input: { text: `cancel order ${order}, it was a mistake`, idempotencyKey: randomUUID() } },
  )
  expect(chatSend.run.status).toBe('AWAITING_APPROVAL')
  const [approval] = chatSend.run.pendingApprovals
  return {
    run: chatSend.run.id,
    order,
    approve: async () =>
      void (await ask(
        `mutation ($id: ID!, $hash: String!) { resolveApproval(id: $id, argumentsHash: $hash, decision: APPROVE) { state } }`,
        { id: approval.id, hash: approval.argumentsHash },
      )),
  }
}

/** So many are inside the tool, each on its own row. */
const inside = async (count: number) =>
  await expect
    .poll(
      async () =>
        (await admin.query(`select 1 from pg_stat_activity where usename = 'orders' and wait_event_type = 'Lock'`))
          .rowCount,
      { timeout: 20_000, interval: 20 },
    )
    .toBe(count)
const hold = (runs: readonly Waiting[]) =>
  holder
    .query('begin')
    .then(() =>
      holder.query('select from orders.orders where id = any($1) for update', [runs.map(({ order }) => order)]),
    )

async function expectDoneOnce(runs: readonly Waiting[]): Promise<void> {
  const ids = runs.map(({ run }) => run)
  const left = async () =>
    (
      await admin.query(
        `select id, status, error_code from orchestrator.run where id = any($1) and status <> 'COMPLETED'`,
        [ids],
      )
    ).rows
  await expect.poll(left, { timeout: 10_000, interval: 20 }).toEqual([])
  const { rows } = await admin.query(
    `select o.id, o.status, count(e)::int as effects from orders.orders o left join public.effect e on e.order_id = o.id
     where o.id = any($1) group by o.id`,
    [runs.map(({ order }) => order)],
  )
  expect(rows).toHaveLength(runs.length)
  for (const row of rows) expect(row).toMatchObject({ status: 'CANCELLED', effects: 1 })
  const { rows: calls } = await admin.query('select status from orchestrator.tool_call where run_id = any($1)', [ids])
  expect(calls).toEqual(runs.map(() => ({ status: 'SUCCEEDED' })))
}

async function kill(replica: Replica, name: 'edge' | 'orchestrator'): Promise<void> {
  const child = replica.processes[name]
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

describe('[P13] whoever is killed, with another replica up: each run goes on within 10 s, and changes things once', () => {
  it('a gateway, with calls inside the tool, answered and not heard, and waiting for their user', async () => {
    const within = [await begin(), await begin()]
    const [unheard, waiting] = [await begin(), await begin()]
    await hold(within)
    for (const run of within) await run.approve()
    await inside(within.length)
    const lost = Promise.withResolvers<void>()
    const killed = Promise.withResolvers<void>()
    door.loses = async (path, request) => {
      if (path !== '/internal/tools/call' || !request.includes(unheard.order)) return false
      door.loses = () => false
      lost.resolve()
      await killed.promise
      return true
    }
    await unheard.approve()
    await lost.promise

    await kill(one, 'edge')
    expect(one.processes.edge.signalCode).toBe('SIGKILL')
    killed.resolve()
    await holder.query('rollback')
    await expectDoneOnce([...within, unheard])
    await waiting.approve()
    await expectDoneOnce([waiting])
  }, 120_000)

  it('an orchestrator, with calls inside the tool, and waiting for their user', async () => {
    const within = await Promise.all(Array.from({ length: 6 }, begin))
    const waiting = await begin()
    await hold(within)
    for (const run of within) await run.approve()
    await inside(within.length)
    // Some of them are its own, some of the other's; whose they are makes no difference to them.
    await kill(one, 'orchestrator')
    expect(one.processes.orchestrator.signalCode).toBe('SIGKILL')
    await holder.query('rollback')
    await waiting.approve()
    await expectDoneOnce([...within, waiting])
  }, 120_000)
})
