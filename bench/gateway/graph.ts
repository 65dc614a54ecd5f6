import { composeServices } from '@apollo/composition'
import { parse } from 'graphql'

/** Three subgraphs: a viewer, then the viewer's orders and balance, in parallel. */
const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])'
const schemas = {
  users: `${link} type Query { viewer: User } type User @key(fields: "id") { id: ID!, name: String! }`,
  orders: `${link} type Query { order(id: ID!): Order } type Order { id: ID!, total: String!, status: Status!, items: [Item!]! }
    enum Status { OPEN SENT } type Item { sku: ID!, amount: Int! } type User @key(fields: "id") { id: ID!, orders: [Order!]! }`,
  balance: `${link} type User @key(fields: "id") { id: ID!, balance: Balance } type Balance { amount: Float!, currency: String! }`,
}

export const fields =
  '{ viewer { id name orders { id total status items { sku amount } } balance { amount currency } } }'

const viewer = { __typename: 'User', id: 'usr_ada', name: 'Ada' }
const orders = [1, 2, 3].map((id) => ({
  id: `ord_${id}`,
  total: `${id}0.00`,
  status: 'OPEN',
  items: [1, 2].map((item) => ({ sku: `sku_${item}`, amount: item })),
}))
const balance = { amount: 12.5, currency: 'EUR' }

/** What each subgraph answers, whatever it is asked. */
export const canned: Readonly<Record<string, string>> = {
  users: JSON.stringify({ data: { viewer } }),
  orders: JSON.stringify({ data: { _entities: [{ __typename: 'User', orders }] } }),
  balance: JSON.stringify({ data: { _entities: [{ __typename: 'User', balance }] } }),
}

/** What every gateway has to answer. */
export const expected = { viewer: { id: viewer.id, name: viewer.name, orders, balance } }

/** @param urls - of the subgraphs, by name. */
export function composeGraph(urls: Readonly<Record<string, string>>): string {
  const { supergraphSdl, errors } = composeServices(
    Object.entries(schemas).map(([name, sdl]) => ({ name, url: urls[name] ?? '', typeDefs: parse(sdl) })),
  )
  if (supergraphSdl === undefined) throw new TypeError(String(errors))
  return supergraphSdl
}
