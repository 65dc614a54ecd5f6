import { HeaderMap } from '@apollo/server'
import { AppError, type ErrorDetails } from '@behalf/identity'
import { buildSchema, getIntrospectionQuery, type GraphQLError, type OperationDefinitionNode, parse } from 'graphql'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RequestRecord } from '../audit/request-record.ts'
import { anonymous } from '../authenticate/principal.ts'
import type { RequestContext } from '../execute/request-context.ts'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import { limitOperations } from './limit-operations.ts'
import { defaultOperationLimits } from './operation-limits.ts'

let gateway: TestGateway
beforeAll(async () => {
  const operation = { tokens: 60, depth: 4, fields: 12, rootFields: 6, aliases: 4, directives: 2, cost: 120 }
  gateway = await startTestGateway({ limits: { operation } })
})
afterAll(() => gateway[Symbol.asyncDispose]())
beforeEach(() => {
  for (const { received } of gateway.graph.all) received.length = 0
})

const tooComplex = (what: string) => ({
  status: 400,
  body: {
    errors: [
      {
        message: `The operation asks for too much at once: ${what}.`,
        extensions: { code: 'OPERATION_TOO_COMPLEX' },
      },
    ],
    extensions: { txn: expect.any(String) },
  },
})
const asked = () => gateway.graph.all.flatMap(({ received }) => received)

describe('[P15] an operation that asks for too much is refused, no subgraph is asked, and one that asks for less passes', () => {
  it.each([
    ['tokens', '{ whoami }'.repeat(21), 'over 60 tokens, at most 60', '{ whoami chatBackend }'],
    [
      'depth',
      '{ viewer { orders { lines { title order: __typename } } } __schema { types { fields { type { name } } } } }',
      'depth 5, at most 4',
      '{ viewer { id } __schema { types { fields { name } } } }',
    ],
    [
      'fields',
      `{ viewer { id ${'name '.repeat(11)} } }`,
      'fields 13, at most 12',
      `{ viewer { id ${'name '.repeat(10)} } }`,
    ],
    ['root fields', `{ ${'whoami '.repeat(7)} }`, 'root fields 7, at most 6', `{ ${'whoami '.repeat(6)} }`],
    [
      'root fields of fragments',
      '{ ...A whoami } fragment A on Query { ...B ...B } fragment B on Query { whoami chatBackend viewer { id } }',
      'root fields 7, at most 6',
      '{ ...B } fragment B on Query { whoami chatBackend viewer { id } }',
    ],
    [
      'aliases',
      '{ a: whoami b: whoami c: viewer { d: id e: id } }',
      'aliases 5, at most 4',
      '{ a: whoami b: whoami c: viewer { d: id } }',
    ],
    [
      'directives',
      'query($a: Boolean = true) { whoami @include(if: $a) chatBackend @include(if: $a) viewer @include(if: $a) { id } }',
      'directives 3, at most 2',
      'query($a: Boolean = true) { whoami @include(if: $a) chatBackend @include(if: $a) }',
    ],
    ['cost', '{ people(first: 120) { id } }', 'cost 121, at most 120', '{ people(first: 119) { id } }'],
  ])('%s', async (_limit, query, message, twin) => {
    expect(await gateway.ask(query)).toMatchObject(tooComplex(message))
    expect(asked()).toEqual([])
    expect(await gateway.ask(twin)).toMatchObject({ status: 200, body: { data: expect.any(Object) } })
    expect(asked()).not.toEqual([])
  })

  it('cost, by the variables of each request', async () => {
    const query = 'query($n: Int) { people(first: $n) { id orders { id } } }'
    const ask = (n: unknown) => gateway.ask(query, { variables: { n } })
    expect(await ask(5)).toMatchObject({ status: 200, body: { data: { people: [{}, {}] } } })
    expect(await ask(11)).toMatchObject(tooComplex('cost 122, at most 120'))
    expect(await ask(2 ** 31 - 1)).toMatchObject(tooComplex('cost 23622320118, at most 120'))
    expect(await ask(null)).toMatchObject({ status: 200 })
    expect(await ask(-5)).toMatchObject({ status: 200 })
    expect((await ask('all')).text).toContain('BAD_USER_INPUT')
    const one = 'query($n: Int) { people(first: $n) { id } }'
    expect((await gateway.ask(one, { variables: { n: 'all' } })).text).toContain('BAD_USER_INPUT')
  })

  it('also where it comes by GET', async () => {
    const get = (query: string) => gateway.send(`/graphql?query=${encodeURIComponent(query)}`)
    expect(await get('{ people(first: 120) { id } }')).toMatchObject(tooComplex('cost 121, at most 120'))
    expect(await get('{ people(first: 119) { id } }')).toMatchObject({ status: 200 })
  })

  it('of several, the one that would be executed', async () => {
    const query = 'query Small { whoami } query Large { people(first: 120) { id } }'
    const run = (operationName: string) =>
      gateway.send('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, operationName }),
      })
    expect(await run('Large')).toMatchObject(tooComplex('cost 121, at most 120'))
    expect(await run('Small')).toMatchObject({ status: 200 })
  })
})

it('[P15] what counts is what was sent, whatever of it the caller may see', async () => {
  const rules = {
    'Query.people': { authenticated: true, scopes: [], policies: [], agent: 'ALLOW', delegates: null, approves: null },
  } as const
  await using strict = await startTestGateway({ rules, limits: { operation: { cost: 120 } } })
  const large = '{ whoami people(first: 120) { id } }'
  expect(await strict.ask(large)).toMatchObject(tooComplex('cost 121, at most 120'))
  expect(await strict.ask(large, { token: await strict.token() })).toMatchObject(tooComplex('cost 121, at most 120'))
  expect(await strict.ask('{ whoami people(first: 9) { id } }')).toMatchObject({
    body: { data: { people: null }, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] },
  })
})

describe('by default', () => {
  let plain: TestGateway
  beforeAll(async () => {
    plain = await startTestGateway()
  })
  afterAll(() => plain[Symbol.asyncDispose]())

  it('the standard introspection query passes', async () => {
    expect(await plain.ask(getIntrospectionQuery())).toMatchObject({ status: 200, body: { data: { __schema: {} } } })
  })

  const laughs = `{ viewer { ...F0 } } ${Array.from({ length: 30 }, (_, i) => `fragment F${i} on User { ...F${i + 1} ...F${i + 1} }`).join(' ')} fragment F30 on User { id }`
  it.each([
    ['fragments that name each other over and over', laughs],
    ['a field a thousand times', `{ ${'whoami '.repeat(1000)} }`],
    ['a thousand aliases', `{ ${Array.from({ length: 600 }, (_, i) => `a${i}: whoami`).join(' ')} }`],
    ['more text than one would write', `{ ${'whoami '.repeat(20_000)} }`],
    ['an argument nested thousands deep', `{ order(id: ${'['.repeat(100_000)}`],
    ['fields nested thousands deep', `{ ${'viewer { '.repeat(20_000)}`],
    ['a fragment of itself', '{ viewer { ...F } } fragment F on User { ...F }'],
  ])('[P15] %s: refused, and the next is answered', async (_what, query) => {
    const answer = await plain.ask(query)
    expect(answer.body.data).toBeUndefined()
    expect(answer.text).toMatch(/OPERATION_TOO_COMPLEX|GRAPHQL_VALIDATION_FAILED/)
    expect(await plain.ask('{ chatBackend }')).toMatchObject({ status: 200 })
  })
})

describe('[P15] what is looked at before an operation is planned', () => {
  const schema = buildSchema(
    'type Query { people(first: Int): [Person!]! } type Person { id: ID friends(first: Int): [Person!]! }',
  )
  const one = 'query ($n: Int) { people(first: $n) { id } }'
  const nested = 'query ($n: Int) { people(first: $n) { friends(first: $n) { id } } }'

  async function look(
    n: number,
    more: { readonly text?: string; readonly cost?: () => void; readonly isCounted?: true } = {},
  ) {
    const { text = one, cost = () => undefined, ...context } = more
    const document = parse(text)
    const operation = document.definitions[0] as OperationDefinitionNode
    const taken: number[] = []
    const rates = {
      cost(_caller: unknown, points: number) {
        taken.push(points)
        cost()
      },
    }
    const record = new RequestRecord('txn')
    const contextValue = { principal: anonymous, address: null, record, ...context } as unknown as RequestContext
    const limits = { ...defaultOperationLimits, cost: Number.MAX_VALUE }
    const check = limitOperations({ limits, rates })
    await check({ schema, document, operation, variables: { n }, contextValue })
    return { taken, recorded: record.cost }
  }

  it('is what it costs, which is recorded as a number that JSON keeps', async () => {
    const { taken, recorded } = await look(10)
    expect(taken).toEqual([recorded])
    expect(recorded).toBe(11)
    const huge = await look(2 ** 31 - 1, { text: nested })
    expect(huge.taken[0]).toBeGreaterThan(Number.MAX_SAFE_INTEGER)
    expect(huge.recorded).toBe(Number.MAX_SAFE_INTEGER)
  })

  it('is counted once for a stream that goes on', async () => {
    expect((await look(10)).taken).toEqual([11])
    expect(await look(10, { isCounted: true })).toEqual({ taken: [], recorded: null })
  })

  it('is refused with when to come back, where that is known', async () => {
    const refuse = (details: ErrorDetails) => () => {
      throw new AppError('RATE_LIMITED', undefined, { details })
    }
    const http = (header?: string) => ({ status: 429, headers: new HeaderMap(header ? [['retry-after', header]] : []) })
    await expect(look(1, { cost: refuse({ retryAfter: 7 }) })).rejects.toMatchObject({
      extensions: { code: 'RATE_LIMITED', http: http('7') },
    })
    const error: unknown = await look(1, { cost: refuse({}) }).catch((thrown: unknown) => thrown)
    expect((error as GraphQLError).extensions['http']).toEqual(http())
  })

  it('fails as it is where nobody refused', async () => {
    const broken = new Error('the limiter is broken')
    const cost = () => {
      throw broken
    }
    await expect(look(1, { cost })).rejects.toBe(broken)
  })
})
