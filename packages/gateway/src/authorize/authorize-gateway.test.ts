import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import { rule } from '../fixtures/rule.ts'
import { needs } from './fixtures.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({
    rules: {
      'Query.viewer': rule({ authenticated: true }),
      'Query.order': needs('orders:read'),
      'User.orders': needs('orders:read'),
      'User.points': needs('orders:write'),
      'Mutation.cancelOrder': needs('orders:write'),
    },
  })
})
afterAll(() => gateway[Symbol.asyncDispose]())
beforeEach(() => {
  for (const { received } of gateway.graph.all) received.length = 0
})

const asked = () =>
  Object.fromEntries(gateway.graph.all.map(({ name, received }) => [name, received.map(({ query }) => query)]))
const denied = (path: string[], code = 'UNAUTHORIZED_FIELD_OR_TYPE') => ({
  message: expect.any(String),
  path,
  extensions: { code },
})

/** Asks as a user with these scopes, or as nobody. */
async function ask(query: string, scope: string | null, variables?: unknown) {
  const token = scope === null ? {} : { token: await gateway.token({ scope }) }
  return (await gateway.ask(query, { ...token, variables })).body
}

describe('[P6] a subgraph', () => {
  it('is not asked for what the caller may not see, and is for the rest', async () => {
    const query = '{ viewer { id name orders { total } points } }'
    expect(await ask(query, 'profile')).toMatchObject({
      data: { viewer: { id: 'usr_ada', name: 'Ada', orders: null, points: null } },
      errors: [denied(['viewer', 'orders']), denied(['viewer', 'points'])],
    })
    expect(asked()).toEqual({ users: [expect.any(String)], orders: [], chat: [] })

    for (const { received } of gateway.graph.all) received.length = 0
    expect(await ask(query, 'orders:read')).toMatchObject({
      data: { viewer: { orders: [{ total: '10.00' }], points: null } },
      errors: [denied(['viewer', 'points'])],
    })
    expect(asked()).toEqual({ users: [expect.any(String)], orders: [expect.not.stringContaining('points')], chat: [] })

    const all = await ask(query, 'orders:read orders:write')
    expect(all).toMatchObject({ data: { viewer: { orders: [{}], points: 7 } } })
    expect(all.errors).toBeUndefined()
  })

  it('is not asked at all where nothing is left', async () => {
    expect(await ask('{ me: viewer { id orders { total } } order(id: "1") { id } }', null)).toMatchObject({
      data: { me: null, order: null },
      errors: [denied(['me'], 'UNAUTHENTICATED'), denied(['order'], 'UNAUTHENTICATED')],
    })
    expect(asked()).toEqual({ users: [], orders: [], chat: [] })
  })

  it('is asked with no variable or fragment that is not used any more', async () => {
    const query = `query ($id: ID!) { order(id: $id) { ...Total } viewer { ...Id ... on User { id } } }
      fragment Total on Order { total } fragment Id on User { id orders { ...Total } }`
    const answer = await ask(query, 'profile', { id: '1' })
    expect(answer).toMatchObject({
      data: { order: null, viewer: { id: 'usr_ada', orders: null } },
      errors: [denied(['order']), denied(['viewer', 'orders'])],
    })
    expect(gateway.graph.users.received.map(({ body }) => JSON.parse(body.toString()) as unknown)).toEqual([
      { query: '{viewer{id}}', variables: {} },
    ])
    expect((await ask(query, 'orders:read', { id: '1' })).data).toEqual({
      order: { total: '10.00' },
      viewer: { id: 'usr_ada', orders: [{ total: '10.00' }] },
    })
  })

  it('that denies the same as well is not reported twice', async () => {
    gateway.graph.orders.misbehave = (response) =>
      response.end(
        JSON.stringify({
          data: { _entities: [{ points: null }] },
          errors: [
            { message: 'x', path: ['_entities', 0, 'points'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } },
          ],
        }),
      )
    const answer = await ask('{ viewer { id points } }', 'orders:write')
    const both = await ask('{ viewer { id points } viewer { orders { id } } }', 'orders:write')
    gateway.graph.orders.misbehave = null
    expect(answer.errors).toMatchObject([denied(['viewer', 'points'])])
    expect(both.errors).toMatchObject([denied(['viewer', 'points']), denied(['viewer', 'orders'])])
  })
})

describe("[P6] another caller's plan", () => {
  const cancelled = () => gateway.graph.orders.received.filter(({ query }) => query.includes('cancelOrder')).length
  const outcomes = {
    'profile orders:write': { rename: { name: 'Ada L.' }, cancelOrder: { total: '0.00' } },
    profile: { rename: { name: 'Ada L.' }, cancelOrder: null },
  }
  const allowed = 'profile orders:write'

  it.each([
    ['after the caller who may', 'x', [allowed, 'profile']],
    ['before the caller who may', 'y', ['profile', allowed]],
    ['in between', 'z', ['profile', allowed, 'profile', allowed]],
  ] as const)('is not executed: %s', async (_name, id, scopes) => {
    // An operation that no other test has planned.
    const query = `mutation Both { rename(name: "Ada L.") { name } cancelOrder(id: "${id}") { total } }`
    for (const scope of scopes) {
      const { data, errors } = await ask(query, scope)
      expect({ scope, data }).toEqual({ scope, data: outcomes[scope] })
      expect(errors ?? []).toMatchObject(scope === allowed ? [] : [denied(['cancelOrder'])])
    }
    expect(cancelled()).toBe(scopes.filter((scope) => scope === allowed).length)
  })

  it('is not executed where operations of one document have other rules', async () => {
    const query = 'mutation A { rename(name: "x") { name } } mutation B { cancelOrder(id: "1") { id } }'
    const run = async (operationName: string, scope: string) => {
      const { body } = await gateway.send('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${await gateway.token({ scope })}` },
        body: JSON.stringify({ query, operationName }),
      })
      return body
    }
    expect((await run('A', 'profile')).errors).toBeUndefined()
    expect((await run('B', 'profile')).errors).toMatchObject([denied(['cancelOrder'])])
    expect(cancelled()).toBe(0)
    expect((await run('B', allowed)).data).toEqual({ cancelOrder: { id: '1' } })
    expect((await run('B', 'profile')).data).toEqual({ cancelOrder: null })
    expect(cancelled()).toBe(1)
  })
})

it('a request that is wrong is refused as before, whatever is denied of it', async () => {
  for (const scope of ['profile', 'orders:read']) {
    const answer = await ask('query ($id: ID!) { order(id: $id) { id } }', scope)
    expect(answer).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] })
    expect(answer.data).toBeUndefined()
  }
  expect(asked()).toEqual({ users: [], orders: [], chat: [] })
})

it('no subgraph refused what it was sent', () => {
  expect(gateway.graph.all.flatMap(({ refused }) => refused)).toEqual([])
})
