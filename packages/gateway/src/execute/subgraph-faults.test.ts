import type { ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { TestSubgraph } from '../fixtures/test-subgraph.ts'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

const limits = { subgraphResponseBytes: 10_000, subgraphPending: 4 }
let gateway: TestGateway
let users: TestSubgraph
let orders: TestSubgraph

beforeAll(async () => {
  gateway = await startTestGateway({ limits, timeoutMs: 1500 })
  ;({ users, orders } = gateway.graph)
})
afterAll(() => gateway[Symbol.asyncDispose]())
afterEach(() => {
  for (const subgraph of gateway.graph.all) {
    subgraph.misbehave = null
    subgraph.received.length = 0
  }
})

const json =
  (body: unknown, status = 200) =>
  (response: ServerResponse) => {
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify(body))
  }
const failedWith = (code: string) => (extensions: Record<string, unknown>) =>
  json({ errors: [{ message: 'of the subgraph', extensions: { code, ...extensions } }] })
const secret = 'hunter2-of-the-subgraph'

describe('a subgraph that fails', () => {
  const faults: Record<string, [string, (response: ServerResponse) => void]> = {
    'breaks off': ['SUBGRAPH_UNAVAILABLE', (response) => response.destroy()],
    'breaks off in its answer': [
      'SUBGRAPH_UNAVAILABLE',
      (response) => void response.writeHead(200, { 'content-length': '100' }).write('{"da', () => response.destroy()),
    ],
    'never answers': ['SUBGRAPH_TIMEOUT', () => undefined],
    'never comes to an end': ['SUBGRAPH_TIMEOUT', (response) => drip(response)],
    'is behind a proxy that gave up': ['SUBGRAPH_TIMEOUT', json('<h1>504</h1>', 504)],
    'is behind a proxy that cannot reach it': ['SUBGRAPH_UNAVAILABLE', json('<h1>502</h1>', 502)],
    'answers HTML': ['SUBGRAPH_INVALID_RESPONSE', json('<html>')],
    'answers nothing': ['SUBGRAPH_INVALID_RESPONSE', json('')],
    'answers no HTTP': ['SUBGRAPH_INVALID_RESPONSE', (response) => response.socket?.end('garbage\r\n\r\n')],
    'answers too much': ['SUBGRAPH_INVALID_RESPONSE', json({ data: { whoami: 'x'.repeat(20_000) } })],
    'answers a list': ['SUBGRAPH_INVALID_RESPONSE', json([])],
    'answers data that is text': ['SUBGRAPH_INVALID_RESPONSE', json({ data: 'x' })],
    'answers errors that are text': ['SUBGRAPH_INVALID_RESPONSE', json({ data: {}, errors: 'x' })],
    'answers neither data nor errors': ['SUBGRAPH_INVALID_RESPONSE', json({})],
    redirects: [
      'SUBGRAPH_INVALID_RESPONSE',
      (response) => response.writeHead(307, { location: gateway.graph.orders.url }).end(),
    ],
    'fails with 500': ['SUBGRAPH_INVALID_RESPONSE', json({ errors: [{ message: secret }] }, 500)],
    'refuses its context token': [
      'SUBGRAPH_INVALID_RESPONSE',
      json({ errors: [{ message: secret, extensions: { code: 'CONTEXT_SIGNATURE' } }] }, 401),
    ],
    'says that our token is bad': [
      'SUBGRAPH_INVALID_RESPONSE',
      json({ errors: [{ message: secret, extensions: { code: 'CREDENTIAL_INVALID' } }] }, 401),
    ],
    'does not know the fetch': [
      'SUBGRAPH_INVALID_RESPONSE',
      json({ errors: [{ message: secret, extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] }, 400),
    ],
    'is busy': ['UNAVAILABLE', json({ errors: [{ message: secret, extensions: { code: 'UNAVAILABLE' } }] }, 503)],
    'cannot tell now whether it has seen a mutation': [
      'UNAVAILABLE',
      json({ errors: [{ message: secret, extensions: { code: 'CONTEXT_UNVERIFIABLE' } }] }, 401),
    ],
    'does not know an outcome': [
      'OUTCOME_UNKNOWN',
      json({ errors: [{ message: secret, extensions: { code: 'OUTCOME_UNKNOWN' } }] }, 409),
    ],
    'has a code that every object has': [
      'SUBGRAPH_INVALID_RESPONSE',
      json({ errors: [{ message: secret, extensions: { code: 'constructor' } }] }, 400),
    ],
  }
  it.each(Object.entries(faults))(
    '%s: its fields are null with a code, the others are answered',
    async (_name, [code, fault]) => {
      users.misbehave = fault
      const answer = await gateway.ask('{ mine: whoami people { id } order(id: "1") { total } chatBackend }')
      expect(answer.status).toBe(200)
      expect(answer.body.data).toEqual({ mine: null, people: null, order: { total: '10.00' }, chatBackend: 'none' })
      expect(answer.body.errors).toMatchObject([
        { path: ['mine'], extensions: { code } },
        { path: ['people'], extensions: { code } },
      ])
      expect(answer.body.errors?.map(({ extensions }) => extensions)).toEqual([{ code }, { code }])
      expect(answer.text).not.toContain(secret)
      users.misbehave = null
      expect((await gateway.ask('{ people { id } }')).body.errors).toBeUndefined()
    },
  )

  it('leaves what it was to add to each entity null', async () => {
    orders.misbehave = (response) => response.destroy()
    const { body } = await gateway.ask('{ people { id points orders { id } } }')
    expect(body.data).toEqual({ people: ['usr_ada', 'usr_ben'].map((id) => ({ id, points: null, orders: null })) })
    expect(body.errors?.map(({ path }) => path?.join('.')).toSorted()).toEqual([
      'people.0.orders',
      'people.0.points',
      'people.1.orders',
      'people.1.points',
    ])
    expect(
      body.errors?.every(({ extensions }) => (extensions as { code: string }).code === 'SUBGRAPH_UNAVAILABLE'),
    ).toBe(true)
  })

  it.each([[[]], [null], [{}], [[null]], ['x']])('answers other entities than were asked for: %j', async (entities) => {
    orders.misbehave = json({ data: { _entities: entities } })
    const { body } = await gateway.ask('{ people { id points } }')
    expect(body.data).toEqual({ people: ['usr_ada', 'usr_ben'].map((id) => ({ id, points: null })) })
    expect(body.errors).toMatchObject([
      { extensions: { code: 'SUBGRAPH_INVALID_RESPONSE' } },
      { extensions: { code: 'SUBGRAPH_INVALID_RESPONSE' } },
    ])
  })

  it('answers values of other types than the schema has: null, and a reason', async () => {
    for (const people of [
      7,
      'x',
      {},
      [7],
      [[]],
      [{ id: null }],
      [{}],
      [{ id: 'x', __typename: 'Ghost' }],
      [{ id: {} }],
    ]) {
      users.misbehave = json({ data: { people } })
      const { body } = await gateway.ask('{ people { id } chatBackend }')
      expect(body.data?.['chatBackend']).toBe('none')
      expect(JSON.stringify(body.data?.['people'])).toMatch(/^(null|\[null\])$/)
      expect(body.errors).toMatchObject([
        { path: expect.arrayContaining(['people']), extensions: { code: 'SUBGRAPH_INVALID_RESPONSE' } },
      ])
    }
  })

  it('cannot reach the prototypes of what the gateway merges', async () => {
    users.misbehave = json(
      '{"data":{"viewer":{"id":"1","__typename":"User","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}},"__proto__":{"polluted":1}}}',
    )
    await gateway.ask('{ viewer { id points } }')
    expect('polluted' in {}).toBe(false)
  })

  it('takes no more requests than may wait', async () => {
    const waiting = new Set<ServerResponse>()
    users.misbehave = (response) => waiting.add(response)
    const asked = Array.from({ length: 4 }, () => gateway.ask('{ whoami }'))
    await expect.poll(() => waiting.size).toBe(4)
    const fifth = await gateway.ask('{ whoami order(id: "1") { total } }')
    expect(fifth.body).toMatchObject({
      data: { whoami: null, order: { total: '10.00' } },
      errors: [{ extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }],
    })
    for (const response of waiting) response.end('{"data":{"whoami":"x"}}')
    for (const { body } of await Promise.all(asked)) expect(body).toMatchObject({ data: { whoami: 'x' } })
  })
})

describe('a connection that breaks', () => {
  const once = (response: ServerResponse) => {
    users.misbehave = null
    response.destroy()
  }

  it('is made again for a query, once', async () => {
    users.misbehave = once
    expect((await gateway.ask('{ people { id } }')).body.errors).toBeUndefined()
    expect(users.received).toHaveLength(2)
  })

  it('is not for a mutation: nobody knows whether it happened', async () => {
    users.misbehave = once
    const { body } = await gateway.ask('mutation { rename(name: "x") { id } }')
    expect(body).toMatchObject({
      data: { rename: null },
      errors: [{ path: ['rename'], extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }],
    })
    expect(users.received).toHaveLength(1)
  })
})

describe('an error of a subgraph', () => {
  it('goes out with message, path and code, and loses everything else', async () => {
    users.misbehave = json({
      data: { mine: null, people: null },
      errors: [
        {
          message: 'Not for you.',
          path: ['mine'],
          locations: [{ line: 1, column: 1 }],
          stack: secret,
          secret,
          extensions: {
            code: 'UNAUTHORIZED_FIELD_OR_TYPE',
            stacktrace: [secret],
            response: { url: secret, headers: { 'txn-token': secret } },
            serviceName: secret,
            exception: { secret },
          },
        },
      ],
      extensions: { debug: secret },
    })
    const answer = await gateway.ask('{ mine: whoami people { id } }')
    expect(answer.body.errors).toEqual([
      { message: 'Not for you.', path: ['mine'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } },
    ])
    expect(Object.keys(answer.body.extensions ?? {})).toEqual(['txn'])
    expect(answer.text).not.toContain(secret)
    expect(gateway.logs.join('')).not.toContain(secret)
  })

  it.each([
    ['INTERNAL', 'INTERNAL'],
    ['ENOENT', 'INTERNAL'],
    ['toString', 'INTERNAL'],
    ['__proto__', 'INTERNAL'],
    ['CONTEXT_REPLAYED', 'SUBGRAPH_INVALID_RESPONSE'],
    ['NOT_FOUND', 'SUBGRAPH_INVALID_RESPONSE'],
    ['GRAPHQL_PARSE_FAILED', 'SUBGRAPH_INVALID_RESPONSE'],
    ['CREDENTIAL_INVALID', 'SUBGRAPH_INVALID_RESPONSE'],
  ])('of code %s is told as %s, without its message', async (code, told) => {
    users.misbehave = failedWith(code)({})
    const answer = await gateway.ask('{ whoami }')
    expect(answer.body.errors).toMatchObject([{ extensions: { code: told } }])
    expect(answer.text).not.toContain('of the subgraph')
  })

  it.each(['UNAUTHENTICATED', 'AGENT_DENIED', 'APPROVAL_REQUIRED', 'BAD_USER_INPUT', 'OUTCOME_UNKNOWN'])(
    'of code %s is about the caller and passes',
    async (code) => {
      users.misbehave = failedWith(code)({})
      expect((await gateway.ask('{ whoami }')).body.errors).toEqual([
        { message: 'of the subgraph', extensions: { code } },
      ])
    },
  )

  it('may be of any shape', async () => {
    for (const error of [
      {},
      { message: 7 },
      { message: 'x', path: 'y' },
      { message: 'x', path: [{}] },
      { message: 'x', extensions: null },
      { message: 'x', extensions: { code: {} } },
    ]) {
      users.misbehave = json({ errors: [error] })
      expect((await gateway.ask('{ whoami }')).body).toMatchObject({ errors: [{ extensions: { code: 'INTERNAL' } }] })
    }
    users.misbehave = json({ errors: [null] })
    expect((await gateway.ask('{ whoami }')).body).toMatchObject({
      errors: [{ extensions: { code: 'SUBGRAPH_INVALID_RESPONSE' } }],
    })
  })
})

/** A byte at a time, more often than any pause would be noticed. */
function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write(' '), 20)
  response.once('close', () => clearInterval(timer))
}
