import type { AuditEvent } from '@behalf/identity'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { rule } from '../fixtures/rule.ts'
import { secretsIn, startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

const rules = {
  'Query.people': rule({ authenticated: true }),
  'User.points': rule({ scopes: [['points:read', 'profile'], ['admin']] }),
  'User.orders': rule({ policies: [['paid']] }),
  Order: rule({ scopes: [['orders:read']] }),
  'Query.fail': rule({ agent: 'DENY' }),
}

let gateway: TestGateway
let seen = 0
beforeAll(async () => {
  gateway = await startTestGateway({ rules, policies: { paid: () => false } })
})
afterAll(() => gateway[Symbol.asyncDispose]())
afterEach(() => {
  seen = gateway.authority.events.length
  for (const each of gateway.graph.all) {
    each.received.length = 0
    each.misbehave = null
  }
})
/** Recorded during this test. */
const events = (what?: AuditEvent['what']) =>
  gateway.authority.events.slice(seen).filter((event) => what === undefined || event.what === what)
const ask = async (query: string, claims: Record<string, unknown> = {}, more: Parameters<TestGateway['ask']>[1] = {}) =>
  gateway.ask(query, { token: await gateway.token(claims), ...more })

const ada = {
  txn: expect.stringMatching(/^[\da-f-]{36}$/),
  parent: null,
  subject: 'usr_ada',
  tenant: 'acme',
  actor: null,
}

describe('[P14] a request', () => {
  it('is one event, with what each hop was told and what became of it', async () => {
    const { body } = await ask('query Mine { viewer { id orders: name } order(id: "ord_1") { id } }', {
      scope: 'profile orders:read chat',
    })
    expect(body.errors).toBeUndefined()
    const hop = { operation: 'query', ticket: false, outcome: 'OK', errors: [], ms: expect.any(Number) }
    expect(events()).toEqual([
      {
        ...ada,
        txn: body.extensions?.txn,
        time: expect.any(Date),
        what: 'request',
        target: null,
        rule: null,
        outcome: 'OK',
        durationMs: expect.any(Number),
        detail: {
          client: 'cli',
          scopes: ['profile', 'orders:read', 'chat'],
          status: 200,
          operation: 'query',
          name: 'Mine',
          cost: 3,
          hops: expect.toSatisfy((hops: unknown[]) => hops.length === 2),
        },
      },
    ])
    expect(events()[0]?.detail['hops']).toEqual(
      expect.arrayContaining([
        { ...hop, to: 'users', facts: { email: 'ada@acme.example' }, scopes: ['profile'] },
        {
          ...hop,
          to: 'orders',
          facts: { tier: 'premium', roles: ['customer'], groups: ['early'] },
          scopes: ['orders:read'],
        },
      ]),
    )
    // What was written down is what the tokens said.
    for (const { name, received } of gateway.graph.all) {
      const told = received.map(({ context: { identity } }) => ({ facts: identity.facts, scopes: identity.scopes }))
      const noted = ((events()[0]?.detail['hops'] ?? []) as { to: string; facts: unknown; scopes: unknown }[])
        .filter(({ to }) => to === name)
        .map(({ facts, scopes }) => ({ facts, scopes }))
      expect(noted).toEqual(told)
    }
  })

  it('says which hop failed and why, and which was answered with errors', async () => {
    gateway.graph.orders.misbehave = (response) => response.writeHead(500).end('out of order')
    gateway.graph.users.misbehave = (response) =>
      response
        .setHeader('content-type', 'application/json')
        .end(
          JSON.stringify({ data: { viewer: null }, errors: [{ message: 'x', extensions: { code: 'UNAVAILABLE' } }] }),
        )
    await ask('{ viewer { id } order(id: "ord_1") { id } }', { scope: 'orders:read' })
    const [request] = events('request')
    expect(request?.outcome).toBe('OK')
    expect(request?.detail['hops']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ to: 'orders', outcome: 'SUBGRAPH_INVALID_RESPONSE' }),
        expect.objectContaining({ to: 'users', outcome: 'OK', errors: ['UNAVAILABLE'] }),
      ]),
    )
  })

  it('that starts an agent says that its receiver was given a ticket', async () => {
    await ask('mutation { chatSend(text: "hi") }', { scope: 'chat' })
    expect(events('request')[0]?.detail['hops']).toMatchObject([{ to: 'chat', operation: 'mutation', ticket: true }])
  })

  it("of a program with a user's token has its client as the actor", async () => {
    await ask('{ whoami }', { client_id: 'robot' })
    expect(events()).toMatchObject([{ ...ada, actor: 'robot', detail: { client: 'robot' } }])
  })

  it('that is refused as a whole has the code', async () => {
    for (const [body, outcome, status] of [
      ['{"query":"{ nothing }"}', 'GRAPHQL_VALIDATION_FAILED', 200],
      ['{"query":"query($id: ID!){ order(id: $id) { id } }"}', 'BAD_USER_INPUT', 200],
      ['{"query":"query A { whoami }","operationName":"B"}', 'OPERATION_RESOLUTION_FAILURE', 200],
      ['{', 'BAD_REQUEST', 400],
      ['{"variables":{}}', 'BAD_REQUEST', 400],
    ] as const) {
      const token = await gateway.token({ scope: 'orders:read' })
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
      const answer = await gateway.send('/graphql', { method: 'POST', body, headers })
      expect(answer.status).toBe(status)
      const event = events().at(-1)
      expect(event).toMatchObject({ ...ada, what: 'request', outcome, detail: { status, hops: [] } })
      expect(event?.txn).toBe(answer.body.extensions?.txn)
    }
  })
})

describe('[P14] a field that is withheld', () => {
  const query = '{ people { id } viewer { id points orders { id } } fail(how: "no") }'
  const denials = () => events('field.denied').map(({ target, rule, outcome }) => ({ target, rule, outcome }))
  const points = { target: 'User.points', rule: '@requiresScopes(scopes: [["points:read", "profile"], ["admin"]])' }
  const orders = { target: 'User.orders', rule: '@policy(policies: [["paid"]])', outcome: 'UNAUTHORIZED_FIELD_OR_TYPE' }

  it('is an event of its own, with the rule that decided', async () => {
    const { body } = await ask(query, { scope: 'profile' })
    expect(denials()).toEqual([{ ...points, outcome: 'UNAUTHORIZED_FIELD_OR_TYPE' }, orders])
    expect(new Set(events().map(({ txn }) => txn))).toEqual(new Set([body.extensions?.txn]))
    expect(events('request')[0]?.detail['hops']).toHaveLength(1)
  })

  it('says which scopes are missing, of each alternative, and which the caller has', async () => {
    await ask('{ viewer { points } order(id: "ord_1") { id ... on Order { total } } }', { scope: 'profile chat' })
    const missing = ({ target, detail }: AuditEvent) => [target, detail['missing']]
    expect(events('field.denied').map(missing)).toEqual([
      ['User.points', [['points:read'], ['admin']]],
      ['Order.total', [['orders:read']]],
    ])
    expect(events('request')[0]?.detail['scopes']).toEqual(['profile', 'chat'])
    await ask('{ viewer { orders { id } } }', { scope: 'profile orders:read' })
    expect(events('field.denied').slice(2)).toMatchObject([{ target: 'User.orders', detail: {} }])
  })

  it('is none where nothing is', async () => {
    await ask('{ people { id } viewer { id points } fail(how: "no") }', { scope: 'profile points:read' })
    expect(denials()).toEqual([])
    expect(events('request')).toHaveLength(1)
  })

  it('says what a type asks, what agents may not, and that nobody signed in', async () => {
    await ask('{ order(id: "ord_1") { id ... on Order { total } } }', { scope: 'profile' })
    const rule = '@requiresScopes(scopes: [["orders:read"]])'
    expect(denials()).toEqual([{ target: 'Order.total', rule, outcome: 'UNAUTHORIZED_FIELD_OR_TYPE' }])
    await ask('{ fail(how: "no") }', { client_id: 'robot' })
    expect(denials()[1]).toEqual({ target: 'Query.fail', rule: '@agent(access: DENY)', outcome: 'AGENT_DENIED' })
    await gateway.ask('{ people { id } }')
    expect(denials()[2]).toEqual({ target: 'Query.people', rule: '@authenticated', outcome: 'UNAUTHENTICATED' })
    expect(events().at(-1)).toMatchObject({ subject: 'anonymous', tenant: null })
  })

  it('is one event, however often it is asked for', async () => {
    const many = Array.from({ length: 15 }, (_, i) => `a${i}: viewer { id points }`).join(' ')
    await ask(`{ ${many} }`, { scope: 'profile' })
    expect(denials()).toHaveLength(1)
  })
})

describe('[P14] headers that claim to say who calls', () => {
  const claims = { 'x-user-id': 'usr_ben', 'txn-token': 'eyJ', 'X-Forwarded-User': 'ben', 'x-tenant': 'globex' }
  const names = ['txn-token', 'x-forwarded-user', 'x-tenant', 'x-user-id']

  it('change nothing, and are recorded by name', async () => {
    const plain = await ask('{ whoami }')
    const answer = await ask(
      '{ whoami }',
      {},
      { headers: { ...claims, 'x-forwarded-for': '::1', 'x-request-id': '7' } },
    )
    const said = (text: unknown) => ({ ...(JSON.parse(String(text)) as object), txn: null })
    expect(said(answer.body.data?.['whoami'])).toEqual(said(plain.body.data?.['whoami']))
    expect(events('header.ignored')).toMatchObject([{ ...ada, outcome: 'OK', detail: {} }])
    const [event] = events('header.ignored')
    expect(((event?.detail['names'] ?? []) as string[]).toSorted()).toEqual(names)
    expect(event?.txn).toBe(answer.body.extensions?.txn)
    expect(JSON.stringify(events())).not.toMatch(/globex|usr_ben|eyJ/)
  })

  it('are recorded by at most ten names', async () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x-user-${i}`, 'x']))
    await ask('{ whoami }', {}, { headers: { ...many, [`x-user-${'a'.repeat(100)}`]: 'x' } })
    expect(events('header.ignored')[0]?.detail['names']).toHaveLength(10)
  })
})

describe('[P14] what is recorded', () => {
  it('[P2] holds no argument, no variable, no literal, no answer and no credential, while they were sent', async () => {
    const secrets = ['ord_s3cret', 'hush-hush', 'psst-psst']
    const variables = { id: secrets[0] }
    const query = `query($id: ID!) { order(id: $id) { id } again: order(id: "${secrets[1]}") { id } }`
    const answer = await ask(query, { scope: 'orders:read' }, { variables })
    await ask(`mutation { chatSend(text: "${secrets[2]}") }`, { scope: 'chat' })
    const sent = gateway.graph.all.flatMap(({ received }) => received.map(({ body }) => body.toString())).join()
    const written = JSON.stringify(events())
    for (const secret of secrets) {
      expect(sent).toContain(secret)
      expect(written).not.toContain(secret)
    }
    expect(answer.text).toContain(secrets[0])
    const credentials = [...gateway.secrets, ...gateway.graph.all.flatMap((each) => [...each.secrets])]
    expect(secretsIn([written], credentials)).toEqual([])
    expect(secretsIn([`${written}${credentials.at(-1)}`], credentials)).toHaveLength(1)
  })
})
