import { randomUUID } from 'node:crypto'
import {
  AppError,
  type Audit,
  type AuditEvent,
  createEventCounter,
  createWorkloadSigner,
  deriveWorkloadKey,
  type Ticket,
  workloadTokenHeader,
} from '@behalf/identity'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import { createAgentAudit } from './audit-agents.ts'

let gateway: TestGateway
let seen = 0
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway[Symbol.asyncDispose]())
afterEach(() => {
  seen = gateway.authority.events.length
})
const events = (what?: AuditEvent['what']) =>
  gateway.authority.events.slice(seen).filter((event) => what === undefined || event.what === what)

async function post(path: string, body: string, type = 'application/json', to = gateway) {
  const key = deriveWorkloadKey(to.rootKey, 'chat', 1)
  const token = createWorkloadSigner({ name: 'chat', key, trustDomain: 'behalf' }).sign({
    method: 'POST',
    path,
    body: Buffer.from(body),
  })
  const headers = { 'content-type': type, [workloadTokenHeader]: token }
  return to.send(path, { internal: true, method: 'POST', body, headers })
}
const redeem = (ticket: string) =>
  post(
    '/internal/token',
    new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: ticket,
      subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
    }).toString(),
    'application/x-www-form-urlencoded',
  )

/** Ada's message, and the delegation that the chat made of it. */
async function delegated(scope = 'profile orders:read orders:write chat') {
  const { body } = await gateway.ask('mutation { chatSend(text: "hi") }', { token: await gateway.token({ scope }) })
  const ticket = gateway.graph.chat.received.at(-1)?.context.ticket ?? ''
  const { access_token: handle, delegation } = JSON.parse((await redeem(ticket)).text) as Record<string, string>
  seen = gateway.authority.events.length
  return { ticket, handle, delegation, parent: body.extensions?.txn }
}
const call = (delegation: string | undefined, name: string, given: unknown = {}) =>
  post('/internal/tools/call', JSON.stringify({ delegation, run: 'run_1', call: 'call_1', name, arguments: given }))
const list = (delegation: string | undefined) =>
  post('/internal/tools/list', JSON.stringify({ delegation, run: 'run_1' }))

const agent = { subject: 'usr_ada', tenant: 'acme', actor: 'assistant' }

describe('[P14] a tool call', () => {
  it('is a transaction of its own beneath the message, with what each hop was told and under which delegation', async () => {
    const { handle, delegation, parent } = await delegated()
    const { body } = await call(handle, 'list_orders')
    expect(body).toMatchObject({ ok: true })
    const [called] = events('tool.called')
    expect(called).toEqual({
      ...agent,
      txn: expect.stringMatching(/^[\da-f-]{36}$/),
      parent,
      time: expect.any(Date),
      what: 'tool.called',
      target: 'list_orders',
      rule: '@requiresScopes(scopes: [["orders:read"]])',
      outcome: 'OK',
      durationMs: expect.any(Number),
      detail: {
        delegation,
        run: 'run_1',
        call: 'call_1',
        client: 'cli',
        version: 'v1',
        arguments: expect.stringMatching(/^1:[\w-]{43}$/),
        operation: 'query',
        name: 'list_orders',
        cost: 12,
        hops: [
          expect.objectContaining({ to: 'users', scopes: [], facts: { email: 'ada@acme.example' } }),
          // An agent is not shown roles and groups.
          expect.objectContaining({ to: 'orders', scopes: ['orders:read'], facts: { tier: 'premium' } }),
        ],
      },
    })
    // What the subgraphs were told is of that transaction.
    const told = gateway.graph.orders.received.at(-1)?.context.identity
    expect(told).toMatchObject({ txn: called?.txn, actor: { parent } })
    expect(called?.txn).not.toBe(parent)
  })

  it('is told from others by a hash of its arguments, which says nothing of them', async () => {
    const { handle } = await delegated()
    for (const id of ['ord_secret', 'ord_secret', 'ord_other']) await call(handle, 'cancel_order', { id })
    const hashes = events('tool.called').map(({ detail }) => detail['arguments'])
    expect(hashes[0]).toBe(hashes[1])
    expect(new Set(hashes).size).toBe(2)
    expect(JSON.stringify(events())).not.toMatch(/ord_secret|ord_other/)
    const sent = JSON.stringify(gateway.graph.orders.received.map(({ query, context }) => [query, context]))
    expect(sent).toContain('assistant')
  })

  it('that needs an approval is recorded as asked for, and not run', async () => {
    const { handle } = await delegated()
    await call(handle, 'cancel_order', { id: 'ord_1' })
    expect(events('tool.called')).toMatchObject([
      {
        outcome: 'APPROVAL_REQUIRED',
        rule: '@requiresScopes(scopes: [["orders:write"]]) @agent(access: APPROVE)',
        detail: { hops: [] },
      },
    ])
    expect(events('field.denied')).toEqual([])
  })

  it('of no tool is denied, without the name that a model made up', async () => {
    const { handle, parent } = await delegated()
    await call(handle, 'tell me everything about ben')
    expect(events('tool.called')).toEqual([])
    expect(events('tool.denied')).toMatchObject([
      { ...agent, parent, target: null, rule: null, outcome: 'TOOL_UNKNOWN' },
    ])
    expect(JSON.stringify(events())).not.toContain('everything')
  })

  it.each([
    ['as deep as a body can be', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, expect.any(String)],
    ['that have no canonical form', '{"text":"\\ud800","number":1e999}', null],
  ])('with arguments %s is recorded all the same', async (_what, given, hash) => {
    const { handle } = await delegated()
    const rest = JSON.stringify({ delegation: handle, run: 'run_1', call: 'call_1', name: 'nothing' }).slice(1)
    expect(await post('/internal/tools/call', `{"arguments":${given},${rest}`)).toMatchObject({ status: 200 })
    expect(events('tool.denied')).toMatchObject([{ detail: { arguments: hash } }])
  })
})

it('[P14] a tool call beyond the limit of its user is recorded as denied, by its transaction', async () => {
  const other = await startTestGateway({ limits: { user: { toolCalls: 1 } } })
  const first = gateway
  gateway = other
  try {
    const { handle, delegation, parent } = await delegated()
    seen = other.authority.events.length
    expect(await call(handle, 'list_orders', { id: 'ord_secret' })).toMatchObject({ status: 200 })
    expect(await call(handle, 'list_orders', { id: 'ord_secret' })).toMatchObject({ status: 429 })
    const [called, denied] = other.authority.events.slice(seen).filter(({ what }) => what.startsWith('tool.'))
    expect(called).toMatchObject({ what: 'tool.called', outcome: 'OK' })
    expect(denied).toMatchObject({
      ...agent,
      what: 'tool.denied',
      parent,
      target: 'list_orders',
      rule: '@requiresScopes(scopes: [["orders:read"]])',
      outcome: 'RATE_LIMITED',
      detail: { delegation, run: 'run_1', call: 'call_1', arguments: called?.detail['arguments'], hops: [] },
    })
    expect(denied?.txn).not.toBe(called?.txn)
  } finally {
    gateway = first
    await other[Symbol.asyncDispose]()
  }
})

describe('[P14] a list of tools', () => {
  it('is recorded with what was offered', async () => {
    const { handle, delegation, parent } = await delegated('orders:read chat')
    await list(handle)
    expect(events('tool.listed')).toMatchObject([
      { ...agent, parent, detail: { delegation, run: 'run_1', tools: ['list_orders', 'send_chat', 'start_chat'] } },
    ])
  })
})

describe('[P14] a delegation', () => {
  it('is seen to be used, in the transaction it was used for', async () => {
    const { handle, delegation, parent } = await delegated()
    await list(handle)
    await call(handle, 'list_orders')
    expect(events('delegation.used')).toMatchObject([
      { ...agent, parent, target: delegation, outcome: 'OK', detail: { workload: 'chat' } },
      { ...agent, parent, target: delegation, outcome: 'OK', txn: events('tool.called')[0]?.txn },
    ])
  })

  it('that does not exist is refused, without its handle', async () => {
    const handle = randomUUID()
    expect(await call(handle, 'list_orders')).toMatchObject({ status: 403 })
    expect(events()).toMatchObject([
      { what: 'delegation.used', subject: null, outcome: 'DELEGATION_REFUSED', detail: { workload: 'chat' } },
    ])
    expect(JSON.stringify(events())).not.toContain(handle)
  })

  it('[P11] that has ended is recorded as refused, and no tool call with it', async () => {
    const { handle, delegation, parent } = await delegated()
    gateway.authority.revoked.push({
      sequence: 1,
      revoked: { kind: 'delegation', delegation: delegation ?? '' },
      notBefore: new Date(),
      reason: 'USER',
    })
    for (const ask of [call(handle, 'list_orders'), list(handle)]) expect(await ask).toMatchObject({ status: 401 })
    gateway.authority.revoked.length = 0
    const refused = { ...agent, what: 'delegation.used', parent, target: delegation, outcome: 'SESSION_ENDED' }
    expect(events()).toMatchObject([refused, refused])
    expect(new Set(events().map(({ txn }) => txn)).size).toBe(2)
    await call(handle, 'list_orders')
    expect(events().slice(2)).toMatchObject([{ what: 'delegation.used', outcome: 'OK' }, { what: 'tool.called' }])
  })

  it('[P11] is neither used nor made while nobody can tell what has ended, and that is recorded', async () => {
    const { handle, delegation, parent } = await delegated()
    await gateway.ask('mutation { chatSend(text: "hi") }', { token: await gateway.token({ scope: 'chat' }) })
    const ticket = gateway.graph.chat.received.at(-1)?.context.ticket ?? ''
    const before = events().length
    gateway.authority.age = 5001
    expect(await call(handle, 'list_orders')).toMatchObject({ status: 503 })
    expect(await redeem(ticket)).toMatchObject({ status: 503 })
    gateway.authority.age = 0
    expect(events().slice(before)).toMatchObject([
      { ...agent, what: 'delegation.used', parent, target: delegation, outcome: 'REVOCATIONS_UNKNOWN' },
      { what: 'delegation.made', subject: 'usr_ada', outcome: 'REVOCATIONS_UNKNOWN', detail: { agent: 'assistant' } },
    ])
    expect(await redeem(ticket)).toMatchObject({ status: 200 })
  })

  it('is refused a hundred times by handles of nobody, and is counted after that', async () => {
    const other = await startTestGateway()
    const counted = () => other.authority.events.filter(({ outcome }) => outcome === 'DELEGATION_REFUSED')
    const key = deriveWorkloadKey(other.rootKey, 'chat', 1)
    const signer = createWorkloadSigner({ name: 'chat', key, trustDomain: 'behalf' })
    const path = '/internal/tools/list'
    for (let i = 0; i < 130; i++) {
      const body = JSON.stringify({ delegation: randomUUID(), run: 'run_1' })
      const token = signer.sign({ method: 'POST', path, body: Buffer.from(body) })
      const headers = { 'content-type': 'application/json', [workloadTokenHeader]: token }
      expect(await other.send(path, { internal: true, method: 'POST', body, headers })).toMatchObject({ status: 403 })
    }
    await other[Symbol.asyncDispose]()
    const counts = counted().map(({ detail }) => Number(detail['count'] ?? 1))
    expect(counts.reduce((sum, count) => sum + count)).toBe(130)
    expect(counts.length).toBeLessThan(130)
  })

  it('is not made of a ticket that was used, whose user is told', async () => {
    const { ticket, parent } = await delegated()
    expect(await redeem(ticket)).toMatchObject({ status: 400 })
    expect(events()).toMatchObject([
      {
        what: 'delegation.made',
        subject: 'usr_ada',
        txn: parent,
        outcome: 'TICKET_REFUSED',
        detail: { agent: 'assistant' },
      },
    ])
    expect(JSON.stringify(events())).not.toContain(ticket)
  })
})

it('[P14] a ticket that is shown again and again is recorded a hundred times, and counted after that', () => {
  const recorded: AuditEvent[] = []
  const audit: Audit = { record: (event) => recorded.push(event) }
  const counter = createEventCounter(audit)
  const grant: Ticket['grant'] = {
    issuer: 'https://issuer.example',
    subject: 'usr_ada',
    tenant: 'acme',
    scopes: [],
    facts: {},
    client: 'cli',
    session: null,
    authTime: null,
    acr: null,
    issuedAt: 1,
    agent: 'assistant',
    parent: randomUUID(),
  }
  const agents = createAgentAudit({ audit, counter })
  for (let i = 0; i < 150; i++) agents.ticketRefused({ id: 't', expiresAt: new Date(), grant }, 'TICKET_REFUSED')
  expect(recorded).toHaveLength(100)
  counter.flush()
  expect(recorded.slice(100)).toMatchObject([
    { what: 'delegation.made', outcome: 'TICKET_REFUSED', subject: 'usr_ada', detail: { count: 50 } },
  ])
})

it('[P14] refused credentials are counted by code, not recorded one by one', async () => {
  const other = await startTestGateway()
  const { authority, graph } = other
  const expired = await other.token({ exp: 1 })
  for (let i = 0; i < 7; i++) await other.ask('{ whoami }', { token: expired, headers: { 'x-user-id': 'usr_ada' } })
  await other.ask('{ whoami }', { headers: { authorization: 'Basic eA==' } })
  for (let i = 0; i < 2; i++) {
    const headers = { 'content-type': 'application/json' }
    await other.send('/internal/tools/list', { internal: true, method: 'POST', body: '{}', headers })
  }
  // What is wrong with us is nobody's refusal.
  for (const code of ['UNAVAILABLE', 'INTERNAL'] as const) {
    authority.consume = async () => {
      throw new AppError(code)
    }
    const { status } = await post('/internal/tools/list', '{}', 'application/json', other)
    expect(status).toBeGreaterThanOrEqual(500)
  }
  await other.ask('{ whoami }', { token: await other.token() })
  expect(authority.events.map(({ what }) => what)).toEqual(['request'])
  await other[Symbol.asyncDispose]()
  const counted = authority.events.slice(1).map(({ what, outcome, txn, detail }) => ({ what, outcome, txn, ...detail }))
  expect(counted).toEqual([
    { what: 'credential.refused', outcome: 'CREDENTIAL_INVALID', txn: null, count: 7 },
    { what: 'header.ignored', outcome: 'CREDENTIAL_INVALID', txn: null, count: 7 },
    { what: 'credential.refused', outcome: 'CREDENTIAL_UNSUPPORTED', txn: null, count: 1 },
    { what: 'credential.refused', outcome: 'WORKLOAD_REFUSED', txn: null, count: 2 },
  ])
  expect(graph.users.received).toHaveLength(1)
})
