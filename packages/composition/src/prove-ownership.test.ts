import { describe, expect, it } from 'vitest'
import { composed } from './fixtures.ts'
import { testRefusals, type RefusalCase } from './refusal-fixture.ts'

const wallet = (statement: string) => ({
  orders: `extend type Query { wallet: Wallet } type Wallet ${statement} { x: Int }`,
})

const member = (rule: string) => `union U = M | Item2 type M @public ${rule} { x: Int! } type Item2 @public { y: Int }`

const cases: readonly RefusalCase[] = [
  ['OWNERSHIP_UNSAID', 'a type that nobody said the owner of', wallet(''), wallet('@owner(field: "userId")')],
  [
    'OWNERSHIP_UNSAID',
    'through a list',
    { orders: 'extend type Query { w: [[W]] } type W { x: Int }' },
    { orders: 'extend type Query { w: [[W]] } type W @public { x: Int }' },
  ],
  [
    'OWNERSHIP_UNSAID',
    'as a member of a union',
    { orders: 'union U = W extend type Query { u: U } type W { x: Int }' },
    { orders: 'union U = W extend type Query { u: U } type W @public { x: Int }' },
  ],
  [
    'OWNERSHIP_UNSAID',
    'deep inside',
    { orders: 'extend type Item { w: W } type W { v: V } type V { x: Int }' },
    {
      orders:
        'extend type Item { w: W } type W @owned(through: "Item") { v: V } type V @owned(through: "parent") { x: Int }',
    },
  ],
  [
    'OWNERSHIP_UNSAID',
    'in one of two subgraphs that give it fields',
    { loyalty: 'type Query { p: Int } type Order @key(fields: "id") { id: ID! points: Int }' },
    { loyalty: 'type Query { p: Int } type Order @key(fields: "id") @owner(field: "owner") { id: ID! points: Int }' },
  ],
  [
    'OWNERSHIP_UNSAID',
    'of a reference that can be resolved',
    { loyalty: 'type Query { o: Order } type Order @key(fields: "id") { id: ID! }' },
    { loyalty: 'type Query { o: Order } type Order @key(fields: "id", resolvable: false) { id: ID! }' },
  ],
  ['OWNERSHIP_TWICE', 'owner and public', wallet('@public @owner(field: "userId")'), wallet('@public')],
  [
    'OWNERSHIP_DISAGREES',
    'between subgraphs',
    { loyalty: 'type Query { p: Int } type Order @key(fields: "id") @public { id: ID! points: Int }' },
    { loyalty: 'type Query { p: Int } type Order @key(fields: "id") @owner(field: "buyer") { id: ID! points: Int }' },
  ],
  [
    'CLAIM_UNKNOWN',
    'in @owner',
    wallet('@owner(field: "x", claim: "email")'),
    wallet('@owner(field: "x", claim: "tenant")'),
  ],
  [
    'OWNED_WITHOUT_PARENT',
    'from a root field',
    { orders: 'extend type Query { item(sku: ID!): Item }' },
    { orders: 'extend type Order { item(sku: ID!): Item }' },
  ],
  [
    'OWNED_WITHOUT_PARENT',
    'from an object of nobody',
    { orders: 'extend type Query { p: P } type P @public { items: [Item] }' },
    { orders: 'extend type Query { p: P } type P @owner(field: "u") { items: [Item] }' },
  ],
  [
    'OWNED_WITHOUT_PARENT',
    'from another parent than named',
    { orders: 'extend type Order { s: S } type S @owned(through: "Item") { x: Int }' },
    { orders: 'extend type Order { s: S } type S @owned(through: "Order") { x: Int }' },
  ],
  [
    'NOT_NULLABLE',
    'a restricted field',
    { orders: 'extend type Query { x: Int! @authenticated }' },
    { orders: 'extend type Query { x: Int @authenticated }' },
  ],
  [
    'NOT_NULLABLE',
    'a field of a restricted type',
    { orders: 'extend type Query { v: V! } type V @public @requiresScopes(scopes: [["s"]]) { x: Int }' },
    { orders: 'extend type Query { v: V } type V @public @requiresScopes(scopes: [["s"]]) { x: Int }' },
  ],
  [
    'NOT_NULLABLE',
    'a restricted member of a union, in a list',
    { orders: `extend type Query { u: [U!] } ${member('@authenticated')}` },
    { orders: `extend type Query { u: [U] } ${member('@authenticated')}` },
  ],
  [
    'NOT_NULLABLE',
    'a field that agents are denied',
    { orders: 'extend type Query { x: Int! @agent(access: DENY) }' },
    { orders: 'extend type Query { x: Int @agent(access: DENY) }' },
  ],
  [
    'NOT_NULLABLE',
    'a mutation that needs approval',
    { orders: 'extend type Mutation { x: Int! }' },
    { orders: 'extend type Mutation { x: Int! @agent(access: ALLOW) }' },
  ],
  [
    'NOT_NULLABLE',
    'an object with an owner',
    { orders: 'extend type Item { order: Order! }' },
    { orders: 'extend type Item { order: Order }' },
  ],
  [
    'NOT_NULLABLE',
    'an item of a list',
    { orders: 'extend type Item { orders: [Order!] }' },
    { orders: 'extend type Item { orders: [Order]! }' },
  ],
  [
    'NOT_NULLABLE',
    'behind an interface',
    {
      orders: 'interface N { id: ID! } type M implements N @owner(field: "u") { id: ID! } extend type Query { n: N! }',
    },
    { orders: 'interface N { id: ID! } type M implements N @owner(field: "u") { id: ID! } extend type Query { n: N }' },
  ],
]

testRefusals(cases)

describe('ownership', () => {
  it('may be unsaid where nobody gets to', async () => {
    const hidden = 'extend type Query { w: W @inaccessible } type W @inaccessible { x: Int }'
    for (const orders of ['type Unreachable { x: Int }', hidden]) {
      expect(await composed({ orders })).toMatchObject({ warnings: [] })
    }
  })

  it('says so where subgraphs let different people see', async () => {
    const { warnings } = await composed({
      loyalty: 'type Query { p: Int } type User @key(fields: "id") @owner(field: "id") { id: ID! points: Int }',
    })
    expect(warnings.map(({ code }) => code)).toEqual(['OWNERSHIP_DISAGREES'])
  })
})
