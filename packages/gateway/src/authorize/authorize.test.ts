import type { Principal } from '@behalf/identity'
import { describe, expect, it } from 'vitest'
import { rule } from '../fixtures/rule.ts'
import { agent, graphOf, needs, nobody, person } from './fixtures.ts'

const ada = {
  id: 'usr_ada',
  name: 'Ada',
  email: ({ domain }: { domain: string }) => `ada@${domain}`,
  balance: { amount: 5, currency: 'EUR' },
  orders: [
    { id: 'o1', total: 1, items: [{ sku: 'a', price: 1 }] },
    { id: 'o2', total: 2, items: [{ sku: 'b', price: 2 }] },
  ],
}
const graph = graphOf(
  `type Query { viewer: User, public: String, order(id: ID!): Order, secret: Int! }
   type Mutation { rename(name: String!): User, cancel(id: ID!): Boolean, wipe: Boolean, unlisted: Boolean }
   type User { id: ID!, name: String, email(domain: String = "x"): String, balance: Balance, orders: [Order] }
   type Balance { amount: Int!, currency: String! }
   type Order { id: ID!, total: Int, items: [Item!]! }
   type Item { sku: String!, price: Int }`,
  {
    'Query.viewer': rule({ authenticated: true }),
    'Query.secret': needs('admin'),
    'Query.order': needs('orders:read'),
    'User.orders': needs('orders:read'),
    'User.balance': needs('balance:read'),
    'User.email': needs('profile', 'email'),
    'Item.price': rule({ policies: [['prices']] }),
    'Order.total': rule({ scopes: [['totals'], ['admin', 'all']] }),
    'Mutation.rename': rule(),
    'Mutation.cancel': { ...needs('orders:write'), agent: 'APPROVE' },
    'Mutation.wipe': rule({ agent: 'DENY' }),
  },
  {
    viewer: ada,
    public: 'yes',
    order: ada.orders[0],
    secret: 7,
    rename: ada,
    cancel: true,
    wipe: true,
    unlisted: true,
  },
)

describe('[P6] what a caller may not see', () => {
  it('is not executed, is null, and says why; the rest is answered', async () => {
    const query = '{ public viewer { name balance { amount } id } }'
    expect(await graph.ask(person(), query)).toEqual({
      executed: '{ public viewer { name id } }',
      data: { public: 'yes', viewer: { name: 'Ada', balance: null, id: 'usr_ada' } },
      errors: ['viewer.balance UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect(await graph.ask(nobody, query)).toEqual({
      executed: '{ public }',
      data: { public: 'yes', viewer: null },
      errors: ['viewer UNAUTHENTICATED'],
    })
    expect(await graph.ask(person('balance:read'), query)).toEqual({
      executed: query,
      data: { public: 'yes', viewer: { name: 'Ada', balance: { amount: 5 }, id: 'usr_ada' } },
      errors: [],
    })
  })

  it.each([
    ['one of two sets', ['totals'], true],
    ['the other', ['admin', 'all'], true],
    ['half of a set', ['admin'], false],
    ['another scope', ['total', 'totals '], false],
  ])('is decided by scopes: %s', async (_name, scopes, isAllowed) => {
    const { data } = await graph.ask(person('orders:read', ...scopes), '{ order(id: 1) { id total } }')
    expect(data).toEqual({ order: { id: 'o1', total: isAllowed ? 1 : null } })
  })

  it('is what a policy guards that nobody gave', async () => {
    expect(await graph.ask(person('orders:read'), '{ order(id: 1) { items { sku price } } }')).toEqual({
      executed: '{ order(id: 1) { items { sku } } }',
      data: { order: { items: [{ sku: 'a', price: null }] } },
      errors: ['order.items.price UNAUTHORIZED_FIELD_OR_TYPE'],
    })
  })

  it('depends on whether an agent asks', async () => {
    const query = 'mutation { wipe cancel(id: 1) unlisted rename(name: "x") { name } }'
    expect(await graph.ask(agent('orders:write'), query)).toEqual({
      executed: 'mutation { rename(name: "x") { name } }',
      data: { wipe: null, cancel: null, unlisted: null, rename: { name: 'Ada' } },
      errors: ['wipe AGENT_DENIED', 'cancel APPROVAL_REQUIRED', 'unlisted APPROVAL_REQUIRED'],
    })
    expect(await graph.ask(person('orders:write'), query)).toMatchObject({ executed: query, errors: [] })
    expect(await graph.ask(agent(), 'mutation { cancel(id: 1) }')).toMatchObject({
      errors: ['cancel UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect(await graph.ask(nobody, 'mutation { unlisted }')).toMatchObject({ data: { unlisted: true }, errors: [] })
  })

  it('may be everything: nothing is executed', async () => {
    expect(await graph.ask(nobody, '{ viewer { name } a: order(id: 1) { id } b: order(id: 2) { id } }')).toEqual({
      executed: null,
      data: { viewer: null, a: null, b: null },
      errors: ['viewer UNAUTHENTICATED', 'a UNAUTHENTICATED', 'b UNAUTHENTICATED'],
    })
  })

  it('takes its parent along where nothing else of it was asked for', async () => {
    expect(await graph.ask(person(), '{ viewer { balance { amount } orders { id } } }')).toEqual({
      executed: null,
      data: { viewer: null },
      errors: ['viewer.balance UNAUTHORIZED_FIELD_OR_TYPE', 'viewer.orders UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect(await graph.ask(person(), 'mutation { rename(name: "x") { balance { amount } } }')).toMatchObject({
      executed: null,
      data: { rename: null },
    })
  })

  it('makes null what cannot be without it', async () => {
    expect(await graph.ask(person(), '{ public secret }')).toEqual({
      executed: '{ public }',
      data: null,
      errors: ['secret UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    // `items: [Item!]!`
    expect(await graph.ask(person('orders:read'), '{ viewer { orders { id items { price } } } }')).toEqual({
      executed: '{ viewer { orders { id } } }',
      data: { viewer: { orders: [null, null] } },
      errors: ['viewer.orders.items.price UNAUTHORIZED_FIELD_OR_TYPE'],
    })
  })

  it('has its alias, and its own arguments', async () => {
    expect(
      await graph.ask(person('profile'), '{ me: viewer { n: name a: email b: email(domain: "y") } public: public }'),
    ).toEqual({
      executed: '{ me: viewer { n: name } public: public }',
      data: { me: { n: 'Ada', a: null, b: null }, public: 'yes' },
      errors: ['me.a UNAUTHORIZED_FIELD_OR_TYPE', 'me.b UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect((await graph.ask(person('profile', 'email'), '{ viewer { a: email b: email(domain: "y") } }')).data).toEqual(
      { viewer: { a: 'ada@x', b: 'ada@y' } },
    )
  })

  it('is not answered under an alias that looks like something else', async () => {
    expect(await graph.ask(person(), '{ viewer { name: balance { amount } id } }')).toMatchObject({
      executed: '{ viewer { id } }',
      data: { viewer: { name: null, id: 'usr_ada' } },
    })
  })

  it('is reported once, however often it is asked for', async () => {
    expect(
      await graph.ask(
        person(),
        '{ viewer { name balance { amount } } viewer { balance { currency } balance { amount } } }',
      ),
    ).toEqual({
      executed: '{ viewer { name } }',
      data: { viewer: { name: 'Ada', balance: null } },
      errors: ['viewer.balance UNAUTHORIZED_FIELD_OR_TYPE'],
    })
  })
})

describe('what is not a matter of authorization', () => {
  it('is left alone: __typename and introspection', async () => {
    const query = '{ __typename __schema { queryType { name } } viewer { __typename balance { amount } } }'
    expect(await graph.ask(person(), query)).toMatchObject({
      executed: '{ __typename __schema { queryType { name } } viewer { __typename } }',
      data: { __typename: 'Query', __schema: { queryType: { name: 'Query' } }, viewer: { __typename: 'User' } },
    })
    expect(await graph.ask(nobody, '{ __type(name: "Order") { name } }')).toMatchObject({
      data: { __type: { name: 'Order' } },
      errors: [],
    })
  })

  it('is a request that is wrong: it is refused whoever makes it', async () => {
    for (const principal of [nobody, person('orders:read')]) {
      expect(await graph.ask(principal, 'query ($id: ID!) { order(id: $id) { id } }')).toMatchObject({
        data: undefined,
        errors: [expect.stringContaining('"$id" of required type "ID!" was not provided')],
      })
    }
  })
})

describe('what is not used any more', () => {
  it('is dropped: variables, fragments, other operations', async () => {
    const query = `query A($id: ID!, $domain: String, $on: Boolean!) {
      viewer { ...Mail name @include(if: $on) } order(id: $id) { ...Id ...Items } }
      fragment Mail on User { email(domain: $domain) }
      fragment Id on Order { id }
      fragment Items on Order { ...Id items { sku } }
      query B { order(id: 7) { id } }`
    const variables = { id: '1', domain: 'y', on: true }
    expect(await graph.ask(person(), query, { variables, operationName: 'A' })).toEqual({
      executed: 'query A($on: Boolean!) { viewer { name @include(if: $on) } }',
      data: { viewer: { email: null, name: 'Ada' }, order: null },
      errors: ['viewer.email UNAUTHORIZED_FIELD_OR_TYPE', 'order UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect(await graph.ask(person('profile', 'email'), query, { variables, operationName: 'A' })).toMatchObject({
      executed: `query A($domain: String, $on: Boolean!) { viewer { ...Mail name @include(if: $on) } } fragment Mail on User { email(domain: $domain) }`,
    })
    const passed: Record<string, unknown>[] = []
    const authorization = await graph.authorize(person(), query, 'A', variables)
    await authorization?.answer(variables, async (_operation, values) => {
      passed.push(values)
      return { data: { viewer: { name: 'Ada' } } }
    })
    expect(passed).toEqual([{ on: true }])
  })
})

describe('the decision', () => {
  const query = '{ public viewer { name balance { amount } } }'

  it('is null where nothing is removed, and is made once for callers who lack the same', async () => {
    expect(await graph.authorize(person('balance:read', 'other'), query)).toBeNull()
    const [first, second] = [await graph.authorize(person('a'), query), await graph.authorize(person('b', 'c'), query)]
    expect(first).not.toBeNull()
    expect(second).toBe(first)
    const anonymous = await graph.authorize(nobody, query)
    expect(anonymous?.denials).toMatchObject([
      { path: ['viewer'], coordinate: 'Query.viewer', code: 'UNAUTHENTICATED' },
    ])
    expect(await graph.authorize(person('a'), query)).toBe(first)
  })

  it('says of a field whether it is gone for its own sake', async () => {
    const both = await graph.authorize(person(), '{ public viewer { email balance { amount } } order(id: 1) { id } }')
    for (const coordinate of ['User.email', 'User.balance', 'Query.order']) expect(both?.denies(coordinate)).toBe(true)
    for (const coordinate of ['Query.public', 'Query.viewer', 'Balance.amount'])
      expect(both?.denies(coordinate)).toBe(false)
    const within = await graph.authorize(person(), '{ public viewer { email balance { amount } } }')
    expect(within?.denies('User.balance')).toBe(true)
    expect(within?.denies('Query.order')).toBe(false)
  })

  it('has a key of its own for each text that is left', async () => {
    const keyOf = async (principal: Principal, text: string) => (await graph.authorize(principal, text))?.allowed?.key
    const text = '{ public viewer { id email balance { amount } } }'
    const keys = await Promise.all([nobody, person(), person('profile', 'email')].map((each) => keyOf(each, text)))
    expect(new Set(keys).size).toBe(3)
    expect(await keyOf(person(), '{ public order(id: 1) { id } }')).toBe(
      await keyOf(person(), '{ public order(id: 2) { id } }'),
    )
  })
})
