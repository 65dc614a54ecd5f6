import { composeServices } from '@apollo/composition'
import { parse } from 'graphql'

/** Three subgraphs: a viewer, then the viewer's orders and balance, in parallel. */
const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])'
const schemas = {
  users: `${link} type Query { viewer: User } type User @key(fields: "id") { id: ID!, name(style: String): String! }`,
  orders: `${link} type Query { order(id: ID!): Order } type Order { id: ID!, total: String!, status: Status!, items: [Item!]! }
    enum Status { OPEN SENT } type Item { sku: ID!, amount: Int! } type User @key(fields: "id") { id: ID!, orders: [Order!]! }`,
  balance: `${link} type User @key(fields: "id") { id: ID!, balance: Balance } type Balance { amount: Float!, currency: String! }`,
}

export const fields =
  '{ viewer { id name orders { id total status items { sku amount } } balance { amount currency } } }'

/** The same fields, with a literal that nothing else has. */
export const withLiteral = (literal: string) => fields.replace('name', `name(style: ${JSON.stringify(literal)})`)

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

/** The same as a tool, as `behalf compose` would write it. */
export const tool = {
  name: 'get_viewer',
  title: 'Viewer',
  description: 'The signed-in user, with orders and balance.',
  inputSchema: object({}),
  outputSchema: object({
    viewer: orNull(
      object({
        id: { type: 'string' },
        name: { type: 'string' },
        orders: {
          type: 'array',
          items: object({
            id: { type: 'string' },
            total: { type: 'string' },
            status: { enum: ['OPEN', 'SENT'] },
            items: { type: 'array', items: object({ sku: { type: 'string' }, amount: { type: 'integer' } }) },
          }),
        },
        balance: orNull(object({ amount: { type: 'number' }, currency: { type: 'string' } })),
      }),
    ),
  }),
  operation: `query get_viewer ${fields}`,
  bindings: [],
  scopes: [['orders:read', 'profile']],
  policies: [],
  readOnly: true,
  approval: null,
  summary: null,
  examples: [],
  version: 'bench',
}

function object(properties: Readonly<Record<string, object>>) {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false }
}

function orNull(schema: object) {
  return { anyOf: [schema, { type: 'null' }] }
}

/**
 * Some of the fields in another order, for each number below 18,432 another, and what they have to be answered with.
 * All three subgraphs are asked in any case.
 */
export function selectionOf(number: number): { readonly fields: string; readonly expected: object } {
  let rest = number
  const take = (count: number) => {
    const taken = rest % count
    rest = Math.floor(rest / count)
    return taken
  }
  const permuted = (names: readonly string[]): string[] => {
    const left = [...names]
    return names.flatMap(() => left.splice(take(left.length), 1))
  }
  const pick = (value: Readonly<Record<string, unknown>>, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, value[name]]))
  const item = permuted(['sku', 'amount'])
  const order = permuted(['id', 'total', 'status', 'items'])
  const money = permuted(['amount', 'currency'])
  const top = permuted(['id', 'name', 'orders', 'balance'])
  const left = ['id', 'total', 'status'].filter(() => take(2) === 0)
  const kept = order.filter((name) => name === 'items' || left.includes(name))
  const subselections: Readonly<Record<string, string>> = {
    orders: `{ ${kept.join(' ').replace('items', `items { ${item.join(' ')} }`)} }`,
    balance: `{ ${money.join(' ')} }`,
  }
  const answered: Readonly<Record<string, unknown>> = {
    ...expected.viewer,
    orders: orders.map((each) => pick({ ...each, items: each.items.map((one) => pick(one, item)) }, kept)),
    balance: pick(balance, money),
  }
  return {
    fields: `{ viewer { ${top.map((name) => `${name} ${subselections[name] ?? ''}`).join(' ')} } }`,
    expected: { viewer: pick(answered, top) },
  }
}

/** @param urls - of the subgraphs, by name. */
export function composeGraph(urls: Readonly<Record<string, string>>): string {
  const { supergraphSdl, errors } = composeServices(
    Object.entries(schemas).map(([name, sdl]) => ({ name, url: urls[name] ?? '', typeDefs: parse(sdl) })),
  )
  if (supergraphSdl === undefined) throw new TypeError(String(errors))
  return supergraphSdl
}
