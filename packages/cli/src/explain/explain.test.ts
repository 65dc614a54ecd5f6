import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditEvent } from '@behalf/identity'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readConfig } from '../config.ts'
import { run } from '../run.ts'

let database: TestDatabase
let admin: pg.Client
let appUrl: string
beforeAll(async () => {
  database = await testDatabase()
  const migrations = await mkdtemp(join(tmpdir(), 'cli-'))
  appUrl = await database.provision('notes', migrations)
  await rm(migrations, { recursive: true })
  admin = new pg.Client(database.url)
  await admin.connect()
})
afterAll(async () => {
  await admin.end()
  await database.close()
})

let out: string[]
let error: string[]
beforeEach(() => {
  out = []
  error = []
})
const explain = (args: string[], url: string | undefined = database.url) =>
  run(['explain', ...args], readConfig({ ...(url && { DATABASE_URL: url }) }), {
    cwd: '.',
    out: (line) => out.push(line),
    error: (line) => error.push(line),
  })

const begun = Date.UTC(2026, 0, 1)
let moment = 0
const insert = (event: Partial<Record<keyof AuditEvent, unknown>> & { source?: string }) =>
  admin.query(
    `insert into behalf.audit_event
       (source, txn, parent, at, subject, tenant, actor, what, target, rule, outcome, duration_ms, detail)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      event.source ?? 'gateway',
      event.txn,
      event.parent ?? null,
      event.time ?? new Date(begun + moment++),
      event.subject ?? 'usr_ada',
      event.tenant ?? 'acme',
      event.actor ?? null,
      event.what,
      event.target ?? null,
      event.rule ?? null,
      event.outcome ?? 'OK',
      event.durationMs ?? null,
      JSON.stringify(event.detail ?? {}),
    ],
  )
const hop = (to: string, more: object = {}) => ({
  to,
  operation: 'query',
  facts: {},
  scopes: [],
  ticket: false,
  outcome: 'OK',
  errors: [],
  ms: 5.25,
  ...more,
})

/** A message of Ada's whose run calls a tool. */
async function chat() {
  const [message, listed, call] = [randomUUID(), randomUUID(), randomUUID()]
  moment = 0
  const told = hop('orchestrator', { operation: 'mutation', scopes: ['chat'], ticket: true })
  const scopes = ['chat', 'balance:read']
  const mutation = {
    client: 'behalf-cli',
    scopes,
    status: 200,
    operation: 'mutation',
    name: 'Send',
    cost: 24,
    hops: [told],
  }
  await insert({ what: 'request', txn: message, durationMs: 123.4, detail: mutation })
  const made = { agent: 'assistant', scopes, expiresAt: '2026-01-01T00:15:00.000Z' }
  await insert({ what: 'delegation.made', txn: message, target: 'dlg_1', detail: made })
  const acting = { parent: message, actor: 'assistant' }
  const use = { ...acting, what: 'delegation.used', target: 'dlg_1' }
  await insert({ ...use, txn: listed })
  const detail = { delegation: 'dlg_1', run: 'run_1', client: 'behalf-cli' }
  await insert({
    ...acting,
    what: 'tool.listed',
    txn: listed,
    detail: { ...detail, tools: ['get_balance', 'list_orders'] },
  })
  await insert({ ...use, txn: call })
  await insert({
    ...acting,
    what: 'tool.called',
    txn: call,
    target: 'get_balance',
    rule: '@requiresScopes(scopes: [["balance:read"]])',
    durationMs: 8,
    detail: {
      ...detail,
      operation: 'query',
      name: 'get_balance',
      hops: [
        hop('identity'),
        hop('balance', {
          scopes: ['balance:read'],
          facts: { tier: 'premium', groups: ['a'] },
          errors: ['UNAVAILABLE'],
        }),
      ],
    },
  })
  await insert({ ...acting, what: 'subject.bound', txn: call, target: 'owner', rule: '@subject(claim: "sub")' })
  return { message, listed, call }
}

describe('[P14] behalf explain', () => {
  it('prints a transaction as a tree: who, what each receiver was told, and what it led to', async () => {
    const { message, listed, call } = await chat()
    expect(await explain([message])).toBe(0)
    expect(`\n${out.join('\n')}\n`).toBe(`
request  ${message}  OK in 123 ms  2026-01-01T00:00:00.000Z
├─ by usr_ada of acme, in person, through behalf-cli
├─ with the scopes chat balance:read
├─ mutation Send, cost 24
├─ asked orchestrator (mutation): OK in 5.3 ms
│  ├─ told the scopes  chat
│  ├─ told the facts   none
│  └─ given a ticket, with which it may start an agent
├─ delegation made: dlg_1, for assistant until 2026-01-01T00:15:00.000Z, with the scopes chat balance:read
├─ tools listed: get_balance, list_orders  ${listed}  OK  2026-01-01T00:00:00.003Z
│  ├─ by usr_ada of acme, for whom assistant acts, through behalf-cli
│  └─ under dlg_1, in run_1
└─ tool get_balance  ${call}  OK in 8.0 ms  2026-01-01T00:00:00.005Z
   ├─ by usr_ada of acme, for whom assistant acts, through behalf-cli
   ├─ under dlg_1, in run_1
   ├─ by the rule @requiresScopes(scopes: [["balance:read"]])
   ├─ query get_balance
   ├─ filled from the caller: $owner
   │  └─ rule     @subject(claim: "sub")
   ├─ asked identity (query): OK in 5.3 ms
   │  ├─ told the scopes  none
   │  └─ told the facts   none
   └─ asked balance (query): OK, UNAVAILABLE in 5.3 ms
      ├─ told the scopes  balance:read
      └─ told the facts   tier = "premium", groups = ["a"]
`)
  })

  it('prints a tool call alone, and of what it is a part', async () => {
    const { message, call } = await chat()
    await explain([call.toUpperCase()])
    expect(out[0]).toContain(`tool get_balance  ${call}`)
    expect(out).toContain(`├─ part of ${message}`)
    expect(out.join()).not.toContain('mutation Send')
  })

  it('says what was denied, withheld, refused and ignored, by whom, and why', async () => {
    const txn = randomUUID()
    await insert({ what: 'request', txn, subject: 'anonymous', tenant: null, detail: { hops: [], unlistedHops: 3 } })
    await admin.query('update behalf.audit_event set tenant = null where txn = $1', [txn])
    const denied = { what: 'field.denied', txn, outcome: 'UNAUTHORIZED_FIELD_OR_TYPE' }
    const missing = [['balance:read'], ['admin', 'staff']]
    const rule = '@requiresScopes(scopes: [["balance:read"], ["admin", "staff"]])'
    await insert({ ...denied, target: 'User.balance', rule, detail: { missing } })
    await insert({ ...denied, target: 'Balance', rule: '@policy(policies: [["paid"]])', source: 'balance' })
    const withheld = {
      what: 'object.withheld',
      target: 'Query.order',
      rule: '@owner(field: "userId")',
      source: 'orders',
    }
    await insert({ ...withheld, txn, outcome: 'FOREIGN_OBJECT_WITHHELD', detail: { type: 'Order' } })
    await insert({ what: 'context.refused', txn, outcome: 'CONTEXT_EXPIRED', source: 'orders' })
    await insert({ what: 'header.ignored', txn, detail: { names: ['x-user-id', 'txn-token'] } })
    await insert({ what: 'delegation.used', txn, target: 'dlg_1', outcome: 'SESSION_ENDED' })
    await insert({ what: 'delegation.made', txn, outcome: 'TICKET_REFUSED', detail: { agent: 'assistant' } })
    await insert({ what: 'approval.used', txn, target: 'apr_1' })
    await insert({ what: 'delegation.revoked', txn: null, parent: txn, target: 'dlg_1' })
    await explain([txn])
    expect(out.slice(1)).toEqual([
      '├─ by nobody who is known',
      '├─ denied: User.balance, UNAUTHORIZED_FIELD_OR_TYPE',
      `│  ├─ rule     ${rule}`,
      '│  └─ missing  balance:read, or admin staff',
      '├─ headers ignored: x-user-id, txn-token',
      '├─ and 3 more were asked',
      '├─ denied in balance: Balance, UNAUTHORIZED_FIELD_OR_TYPE',
      '│  └─ rule     @policy(policies: [["paid"]])',
      '├─ withheld in orders: Order of Query.order, FOREIGN_OBJECT_WITHHELD',
      '│  └─ rule     @owner(field: "userId")',
      '├─ context token refused by orders: CONTEXT_EXPIRED',
      '├─ delegation not to be used: dlg_1, SESSION_ENDED',
      '├─ no delegation made for assistant: TICKET_REFUSED',
      '├─ approval.used apr_1: OK',
      '└─ delegation ended later: dlg_1',
    ])
  })

  it('believes no subgraph that says how a request ended, nor prints what it could command a terminal with', async () => {
    const txn = randomUUID()
    await insert({
      what: 'request',
      txn,
      outcome: 'OK',
      target: '\u001b[2J\u202e',
      source: 'orders',
      detail: { hops: 'x' },
    })
    await explain([txn])
    expect(out).toEqual([`transaction  ${txn}  whose end is not recorded`, '└─ request ?[2J? in orders: OK'])
  })

  it('ends where parents go in circles', async () => {
    const [a, b] = [randomUUID(), randomUUID()]
    await insert({ what: 'tool.called', txn: a, parent: b, target: 'a' })
    await insert({ what: 'tool.called', txn: b, parent: a, target: 'b' })
    await insert({ what: 'tool.called', txn: b, parent: b, target: 'b again' })
    await explain([a])
    expect(out.filter((line) => line.includes('tool b  '))).toHaveLength(1)
    expect(out.filter((line) => line.includes('tool a  '))).toHaveLength(1)
  })

  it('prints the events themselves with --json', async () => {
    const { message, call } = await chat()
    expect(await explain([message, '--json'])).toBe(0)
    const events = JSON.parse(out.join('\n')) as Record<string, unknown>[]
    expect(events.map(({ what }) => what)).toEqual([
      'request',
      'delegation.made',
      'delegation.used',
      'tool.listed',
      'delegation.used',
      'tool.called',
      'subject.bound',
    ])
    expect(events[5]).toMatchObject({ txn: call, parent: message, source: 'gateway', detail: { run: 'run_1' } })
  })

  it('waits for events that are about to be written', async () => {
    const txn = randomUUID()
    const explained = explain([txn])
    const time = new Date()
    await insert({ what: 'field.denied', txn, target: 'User.balance', time })
    await insert({ what: 'request', txn, time, durationMs: 1 })
    expect(await explained).toBe(0)
    expect(out).toHaveLength(3)
  })

  it('says that it knows nothing of a transaction', async () => {
    const { message } = await chat()
    const other = message.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))
    expect(await explain([other])).toBe(1)
    expect(error[0]).toBe(`There is no event of transaction ${other}.`)
    expect(error[1]).toContain('turned away at the door')
    expect(await explain([message])).toBe(0)
  })

  it.each([
    ['what is no txn', () => explain(['ord_7Kx2']), 2, '"ord_7Kx2" is not a txn'],
    ['no database', () => run(['explain', randomUUID()], readConfig({}), terminal()), 2, 'DATABASE_URL must be set'],
    ['a role that may not read them', () => explain([randomUUID()], appUrl), 1, 'permission denied'],
    ['a database that is away', () => explain([randomUUID()], 'postgres://a:b@127.0.0.1:1/c'), 1, 'ECONNREFUSED'],
  ])('refuses %s in one sentence', async (_what, attempt, code, sentence) => {
    expect(await attempt()).toBe(code)
    expect(error).toEqual([expect.stringContaining(sentence)])
    expect(out).toEqual([])
  })
})

const terminal = () => ({ cwd: '.', out: (line: string) => out.push(line), error: (line: string) => error.push(line) })
