import { createContextVerifier, deriveContextKeys } from '@behalf/identity'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ReceivedRequest, TestSubgraph } from '../fixtures/test-subgraph.ts'
import { secretsIn, sendRaw, startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
let users: TestSubgraph
let orders: TestSubgraph

beforeAll(async () => {
  // Longer than any test: what ends before was given up, and was not late.
  gateway = await startTestGateway({ timeoutMs: 600_000 })
  ;({ users, orders } = gateway.graph)
})
afterAll(() => gateway[Symbol.asyncDispose]())
afterEach(() => {
  for (const { received } of gateway.graph.all) received.length = 0
})

const allScopes = { scope: 'profile orders:read orders:write chat unrelated' }
const only = ({ received }: TestSubgraph): ReceivedRequest => {
  expect(received).toHaveLength(1)
  return received[0]!
}

describe('what a subgraph is told', () => {
  it('is who calls, with the facts and scopes it declared and no others', async () => {
    const token = await gateway.token({ ...allScopes, auth_time: 1763856000, acr: 'pwd' })
    const answer = await gateway.ask('{ viewer { id orders { total } } }', { token })
    expect(answer.body.data).toEqual({ viewer: { id: 'usr_ada', orders: [{ total: '10.00' }] } })
    const { identity } = only(users).context
    expect(identity).toMatchObject({
      subject: 'usr_ada',
      tenant: 'acme',
      client: 'cli',
      authTime: 1763856000,
      acr: 'pwd',
      actor: null,
      approval: null,
    })
    expect(identity.facts).toEqual({ email: 'ada@acme.example' })
    expect(identity.scopes).toEqual(['profile'])
    const { identity: told } = only(orders).context
    expect(told.facts).toEqual({ tier: 'premium', roles: ['customer'], groups: ['early'] })
    expect(told.scopes).toEqual(['orders:read', 'orders:write'])
  })

  it('is nobody where nobody signed in', async () => {
    await gateway.ask('{ viewer { id } }')
    expect(only(users).context.identity).toMatchObject({
      subject: 'anonymous',
      tenant: null,
      scopes: [],
      facts: {},
      client: null,
      actor: null,
    })
  })

  it('is a program where a program calls', async () => {
    await gateway.ask('{ viewer { id } }', { token: await gateway.token({ client_id: 'cron' }) })
    expect(only(users).context.identity.actor).toMatchObject({ agent: 'cron', delegation: null })
  })

  it('is in one transaction, which the answer names', async () => {
    const token = await gateway.token(allScopes)
    const first = await gateway.ask('{ viewer { id orders { total } } }', { token })
    const second = await gateway.ask('{ viewer { id orders { total } } }', {
      token,
      headers: { 'txn-token': 'x', 'x-request-id': 'y' },
    })
    const txns = [users, orders].flatMap(({ received }) => received.map(({ context }) => context.identity.txn))
    expect(txns).toEqual([first, second, first, second].map(({ body }) => body.extensions?.txn))
    expect(first.body.extensions?.txn).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    expect(first.body.extensions?.txn).not.toBe(second.body.extensions?.txn)
  })
})

describe('a context token', () => {
  it('is for one subgraph, these exact bytes and this request', async () => {
    const token = await gateway.token(allScopes)
    for (let index = 0; index < 2; index++) await gateway.ask('{ viewer { id orders { total } } }', { token })
    const tokens = [...users.received, ...orders.received].map((request) => request.token)
    expect(new Set(tokens).size).toBe(4)

    const verifierOf = (receiver: string) =>
      createContextVerifier({
        receiver,
        keys: deriveContextKeys(gateway.rootKey, receiver, [1]),
        trustDomain: 'behalf',
      })
    const [{ rawHeaders, body } = only(users)] = users.received
    const head = { method: 'POST', url: '/graphql', rawHeaders }
    expect(() => verifierOf('users').verifyHead(head).verifyBody(body)).not.toThrow()
    expect(() =>
      verifierOf('users')
        .verifyHead(head)
        .verifyBody(Buffer.concat([body, Buffer.from(' ')])),
    ).toThrow(/another request/)
    expect(() => verifierOf('orders').verifyHead(head)).toThrow(/another receiver/)
  })

  it('says what this hop does: entities after a mutation are a query', async () => {
    const token = await gateway.token(allScopes)
    const answer = await gateway.ask('mutation { rename(name: "Ada L.") { name points } }', { token })
    expect(answer.body.data).toEqual({ rename: { name: 'Ada L.', points: 7 } })
    expect(only(users)).toMatchObject({ operation: 'mutation', context: { jti: expect.any(String) } })
    expect(only(orders)).toMatchObject({
      operation: 'query',
      query: expect.stringContaining('_entities'),
      context: { jti: null },
    })
  })

  it('carries a ticket only for the field that starts an agent, in its subgraph, for a person', async () => {
    const person = await gateway.token(allScopes)
    const program = await gateway.token({ ...allScopes, client_id: 'cron' })
    const tickets = async (query: string, token?: string) => {
      for (const { received } of gateway.graph.all) received.length = 0
      const { body } = await gateway.ask(query, token === undefined ? {} : { token })
      expect(body.errors).toBeUndefined()
      return gateway.graph.all.flatMap(({ name, received }) =>
        received.flatMap(({ context }) => (context.ticket === null ? [] : [name])),
      )
    }
    expect(await tickets('mutation { chatSend(text: "hi") }', person)).toEqual(['chat'])
    expect(await tickets('mutation { renamed: chatSend(text: "hi") }', person)).toEqual(['chat'])
    expect(await tickets('mutation { ...M } fragment M on Mutation { ... { chatSend(text: "hi") } }', person)).toEqual([
      'chat',
    ])
    expect(await tickets('mutation { rename(name: "x") { id } chatSend(text: "hi") }', person)).toEqual(['chat'])
    expect(await tickets('mutation { chatCancel }', person)).toEqual([])
    expect(await tickets('mutation { chatSend: chatCancel }', person)).toEqual([])
    expect(await tickets('mutation { startOver }', person)).toEqual([])
    expect(await tickets('{ chatBackend chatSend }', person)).toEqual([])
    expect(await tickets('mutation { chatAgain }', person)).toEqual(['chat'])
    expect(await tickets('mutation { chatAgain }', program)).toEqual([])
    expect(await tickets('mutation { chatSend(text: "hi") }')).toEqual([])
  })
})

describe('headers of a client', () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const sent = {
    'x-user-id': 'usr_ben',
    'x-user-scopes': 'users:read',
    cookie: 'session=stolen',
    'txn-token': 'forged',
    forwarded: 'for=1.2.3.4',
    'x-forwarded-for': '1.2.3.4',
    'workload-token': 'forged',
    'proxy-authorization': 'Basic eA==',
    baggage: 'a=b',
    origin: 'https://evil.example',
    'accept-encoding': 'deflate',
    'x-http-method-override': 'GET',
    'apollo-federation-include-trace': 'ftv1',
  }

  it('end at the gateway, but for trace context', async () => {
    const token = await gateway.token(allScopes)
    await gateway.ask('{ viewer { id orders { total } } }', {
      token,
      headers: { ...sent, traceparent, tracestate: 'vendor=1' },
    })
    for (const subgraph of [users, orders]) {
      const { rawHeaders } = only(subgraph)
      const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
      expect(names.toSorted()).toEqual([
        'accept',
        'accept-encoding',
        'connection',
        'content-length',
        'content-type',
        'host',
        'traceparent',
        'tracestate',
        'txn-token',
      ])
      expect(rawHeaders).toEqual(expect.arrayContaining(['traceparent', traceparent, 'tracestate', 'vendor=1']))
      for (const value of [token, ...Object.values(sent)]) expect(rawHeaders).not.toContain(value)
    }
  })

  it('are trace context only in its form, and once', async () => {
    for (const headers of [
      ['traceparent', 'usr_ben', 'tracestate', 'vendor=1'],
      ['traceparent', traceparent, 'traceparent', traceparent],
      ['tracestate', 'vendor=1'],
      ['traceparent', `${traceparent}\tx-user-id: usr_ben`],
    ]) {
      users.received.length = 0
      await sendRaw(gateway.url, {
        path: '/graphql',
        headers: ['content-type', 'application/json', ...headers],
        body: '{"query":"{viewer{id}}"}',
      })
      expect(only(users).rawHeaders.join().toLowerCase()).not.toContain('trace')
    }
  })
})

describe('a client that goes away', () => {
  it.each([
    ['{ whoami }', 'query', true],
    ['mutation { rename(name: "x") { id } }', 'mutation', false],
  ])('%s', async (query, operation, isCalledBack) => {
    const held = Promise.withResolvers<() => void>()
    users.misbehave = (response) => held.resolve(() => response.end('{"data":{"whoami":"x","rename":{"id":"1"}}}'))
    const client = new AbortController()
    const asked = fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      signal: client.signal,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    }).catch(() => 'gone')
    const answer = await held.promise
    const { aborted, operation: kind } = only(users)
    expect(kind).toBe(operation)
    client.abort()
    expect(await asked).toBe('gone')
    users.misbehave = null
    if (isCalledBack) return aborted
    // The gateway has seen the client go once it has answered another request that came after.
    await gateway.ask('{ chatBackend }')
    const outcome = await Promise.race([
      aborted.then(() => 'aborted'),
      gateway.ask('{ chatBackend }').then(() => 'running'),
    ])
    expect(outcome).toBe('running')
    answer()
  })
})

it('no subgraph refused what it was sent', () => {
  expect(gateway.graph.all.flatMap(({ refused }) => refused)).toEqual([])
})

it('the log of all of it holds no secret', () => {
  const secrets = [...gateway.secrets, ...gateway.graph.all.flatMap((subgraph) => [...subgraph.secrets])]
  expect(secrets.length).toBeGreaterThan(20)
  expect(secretsIn(gateway.logs, secrets)).toEqual([])
  // The search itself finds one where there is one, whole or without its beginning.
  expect(secretsIn([`{"msg":"${secrets[3]}"}`], secrets)).toEqual([secrets[3]])
  expect(secretsIn([`{"msg":"${secrets[3]?.slice(9)}"}`], secrets)).toEqual([secrets[3]])
})
