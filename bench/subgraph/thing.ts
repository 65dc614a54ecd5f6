import type { Resolvers } from '@behalf/subgraph'

// One subgraph of a batch of entities, each with an owner, and scopes to have.
export const name = 'orders'
export const typeDefs = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requiresScopes"])
  @link(url: "https://behalf.dev/identity/v0.1", import: ["@identity", "@owner"])
  @identity(facts: [])
type Query { ping: Boolean }
type User @key(fields: "id") @owner(field: "id") { id: ID!, orders: [Order!]! @requiresScopes(scopes: [["orders:read"]]) }
type Order @owner(field: "userId") { id: ID!, total: String!, items: [Item!]! }
type Item { sku: ID!, amount: Int! }
`
const owner = 'usr_ada'
const orders = [1, 2, 3].map((id) => ({
  id: `ord_${id}`,
  userId: owner,
  total: `${id}0.00`,
  items: [1, 2].map((item) => ({ sku: `sku_${item}`, amount: item })),
}))
export const resolvers = {
  User: { __resolveReference: ({ id }: { id: string }) => ({ id }), orders: () => orders },
} as Resolvers<unknown>

export const scopes = ['orders:read']
export const body = JSON.stringify({
  query:
    'query($representations:[_Any!]!){_entities(representations:$representations){...on User{orders{id total items{sku amount}}}}}',
  variables: { representations: [{ __typename: 'User', id: owner }] },
})
export const expected = JSON.stringify(orders.map(({ id, total, items }) => ({ id, total, items })))
