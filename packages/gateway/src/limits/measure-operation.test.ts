import { buildSchema, getIntrospectionQuery, getOperationAST, parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { measureOperation } from './measure-operation.ts'
import { defaultOperationLimits, requireWithin } from './operation-limits.ts'

const schema = buildSchema(`
  scalar BigInt
  type Query {
    viewer: User, people(limit: BigInt = 20): [User!], grid(first: Int): [[User]!], everyone: [User], names: [String], node: Node
  }
  type Mutation { rename(name: String!): User, remove: Boolean }
  interface Node { id: ID!, self: Node }
  type User implements Node {
    id: ID!, self: Node, name: String, friend: User, other: User
    orders(first: Int, last: Int, after: String): Orders
    pages(first: Int = 7): Orders
    recent(limit: Float): [Order!]!
  }
  type Orders { edges: [Edge!]!, nodes: [Order], pageInfo: PageInfo, count: Int }
  type Edge { cursor: String, node: Order }
  type Order { id: ID!, items: [Item!]!, tags: [String!] }
  type Item { name: String }
  type PageInfo { hasNextPage: Boolean }
`)

function measure(query: string) {
  const document = parse(query)
  expect(validate(schema, document).map(({ message }) => message)).toEqual([])
  const operation = getOperationAST(document)
  if (!operation) throw new Error('none')
  return measureOperation(schema, document, operation)
}
const cost = (query: string, variables: Record<string, unknown> = {}) => measure(query).cost(variables)

describe('[P15] the cost of an operation', () => {
  it.each([
    ['one, and one for each field that has fields', '{ viewer { id friend { id } } }', 3],
    ['nothing for values, however many', '{ names viewer { id name a: id __typename } }', 2],
    ['ten of each field of Mutation', 'mutation { remove a: remove rename(name: "x") { id } }', 32],
    ['ten of a list of which nothing is said', '{ everyone { friend { id } } }', 21],
    ['a hundred of a list of lists', '{ grid { id } }', 101],
    ['as many as are asked for', '{ people(limit: 3) { friend { id } } }', 7],
    ['the default where no number is given', '{ people { id } }', 21],
    ['an unknown number where it is null', '{ people(limit: null) { id } }', 11],
    ['the larger of two numbers', '{ viewer { orders(first: 2, last: 4) { edges { cursor } } } }', 7],
    ['a number as text, where a scalar has it so', '{ people(limit: "30") { id } }', 31],
    ['a number with an exponent', '{ viewer { recent(limit: 1e2) { id } } }', 102],
    ['a fraction as a whole', '{ viewer { recent(limit: 1.5) { id } } }', 4],
    ['no less than one', '{ viewer { recent(limit: -5) { id } orders(first: 0) { edges { cursor } } } }', 5],
    ['of a connection, the number of its lists', '{ viewer { orders(first: 5) { edges { node { id } } } } }', 13],
    ['of both lists of it', '{ viewer { orders(first: 5) { edges { cursor } nodes { id } } } }', 13],
    ['not of what is deeper', '{ viewer { orders(first: 5) { edges { node { items { name } } } } } }', 63],
    ['once of what is no list', '{ viewer { orders(first: 5) { count pageInfo { hasNextPage } } } }', 4],
    ['the default of a connection', '{ viewer { pages { edges { cursor } } } }', 10],
    [
      'through fragments',
      '{ viewer { orders(first: 5) { ...E ... on Orders { nodes { id } } } } } fragment E on Orders { ...F } fragment F on Orders { edges { cursor } }',
      13,
    ],
    [
      'a fragment as often as it is spread',
      '{ viewer { ...F friend { ...F } } } fragment F on User { other { id } }',
      5,
    ],
    [
      'of what only has the name of introspection, as ever',
      'query __schema { ...__schema } fragment __schema on Query { __type: everyone { id } }',
      11,
    ],
    ['what is skipped as nothing', '{ viewer @skip(if: true) { id } everyone @include(if: false) { id } }', 1],
    ['what is included as ever', '{ viewer @skip(if: false) { id } everyone @include(if: true) { id } }', 12],
    [
      'introspection at one price',
      '{ __schema { types { fields { name } } } __type(name: "User") { fields { name } } __typename }',
      201,
    ],
  ])('is %s', (_what, query, expected) => {
    expect(cost(query)).toBe(expected)
  })

  it('depends on coerced variables, their defaults and those of arguments', () => {
    const query = 'query($n: Int = 4) { viewer { orders(first: $n) { edges { cursor } } } }'
    expect(cost(query)).toBe(7)
    expect(cost(query, { n: 30 })).toBe(33)
    expect(cost(query, { n: null })).toBe(13)
    expect(cost(query, { n: -1 })).toBe(4)
    const without = 'query($n: Int) { viewer { pages(first: $n) { edges { cursor } } } }'
    expect(cost(without)).toBe(10)
    expect(cost(without, { n: 1 })).toBe(4)
    const big = 'query($n: BigInt) { people(limit: $n) { id } }'
    expect(cost(big, { n: '400' })).toBe(401)
    expect(cost(big, { n: 10n ** 30n })).toBe(2 ** 31 + 1)
    expect(cost(big, { n: 'all' })).toBe(11)
    expect(cost(big, { n: ' ' })).toBe(11)
    expect(
      cost('query($a: Int, $b: Int) { viewer { orders(first: $a, last: $b) { edges { cursor } } } }', { b: 20 }),
    ).toBe(23)
  })

  it('depends on variables of conditions', () => {
    const query =
      'query($on: Boolean!, $off: Boolean!) { viewer @include(if: $on) @skip(if: $off) { ...F @include(if: $on) } } fragment F on User { friend { id } }'
    expect(cost(query, { on: true, off: false })).toBe(3)
    expect(cost(query, { on: true, off: true })).toBe(1)
    expect(cost(query, { on: false, off: false })).toBe(1)
  })

  it('is not less where variables are wrong: such an operation is not executed', () => {
    const query =
      'query($n: Int!, $on: Boolean!) { viewer @include(if: $on) { orders(first: $n) { edges { cursor } } } }'
    for (const variables of [{}, { n: 'x', on: true }, { n: 1e10, on: 'yes' }, { n: { toString: 'x' } }])
      expect(cost(query, variables)).toBe(13)
  })

  it('has no way round: names of an object every object has', () => {
    const query =
      'query($constructor: Int, $__proto__: Int) { viewer { a: orders(first: $constructor) { edges { cursor } } b: orders(first: $__proto__) { edges { cursor } } } }'
    expect(cost(query)).toBe(24)
    expect(cost(query, JSON.parse('{"__proto__": 100, "constructor": 100}') as Record<string, unknown>)).toBe(204)
  })

  it('does not overflow', () => {
    const nested = '{ grid(first: 2147483647) { friend { recent(limit: 2147483647) { items { name } } } } }'
    expect(cost(nested)).toBeGreaterThan(2 ** 60)
    const deep = `{ viewer { ...F0 } } ${Array.from({ length: 400 }, (_, i) => `fragment F${i} on User { a: other { ...F${i + 1} } b: friend { ...F${i + 1} } }`).join(' ')} fragment F400 on User { orders(first: 0) { edges { cursor } } }`
    expect(cost(deep)).toBeGreaterThan(2 ** 400)
  })

  it('is not asked of what is nested without end', () => {
    const deep = (levels: number) => `{ viewer { ${'... { '.repeat(levels)} id ${'} '.repeat(levels)} } }`
    expect(cost(deep(900))).toBe(2)
    expect(() => measure(deep(1001))).toThrow(expect.objectContaining({ code: 'OPERATION_TOO_COMPLEX' }))
  })
})

describe('[P15] what else is measured', () => {
  const measures = (query: string) => {
    const { depth, fields, rootFields, aliases, directives } = measure(query)
    return { depth, fields, rootFields, aliases, directives }
  }

  it('counts what is in fragments wherever they are spread', () => {
    expect(
      measures(`query Q($on: Boolean = true) {
        v: viewer { ...F ...F friend { ...F ... on Node @include(if: $on) { self { i: id } } } }
        ...R @skip(if: $on)
        __typename
      }
      fragment R on Query { viewer { id } names }
      fragment F on User { x: name other { id } }`),
    ).toEqual({ depth: 4, fields: 17, rootFields: 4, aliases: 5, directives: 2 })
  })

  it('counts a fragment from where it is spread, however often it was met before', () => {
    const query = '{ viewer { ...F friend { other { ...F } } } } fragment F on User { self { id } }'
    expect(measures(query).depth).toBe(5)
  })

  it('counts directives of the operation, its variables and fragments', () => {
    const own = buildSchema(
      'directive @a on QUERY | VARIABLE_DEFINITION | FRAGMENT_DEFINITION | FRAGMENT_SPREAD type Query { a(n: Int): Int }',
    )
    const document = parse('query($n: Int @a) @a { ...F @a ...F } fragment F on Query @a { a(n: $n) }')
    expect(validate(own, document)).toEqual([])
    expect(measureOperation(own, document, getOperationAST(document)!).directives).toBe(5)
  })

  it('lets the standard introspection query pass', () => {
    const everything = {
      descriptions: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      oneOf: true,
    }
    for (const options of [{}, everything]) {
      const query = getIntrospectionQuery(options)
      expect(() => parse(query, { maxTokens: defaultOperationLimits.tokens })).not.toThrow()
      const measured = measure(query)
      expect(measured.depth).toBe(defaultOperationLimits.depth)
      expect(() => requireWithin(defaultOperationLimits, measured, measured.cost({}))).not.toThrow()
    }
  })
})

describe('[P15] fragments that name each other over and over', () => {
  const levels = 25
  const laughs = (each: (next: string) => string, last: string, variables = '') =>
    `query ${variables} { viewer { ...F0 } } ${Array.from({ length: levels }, (_, i) => `fragment F${i} on User { ${each(`...F${i + 1}`)} }`).join(' ')} fragment F${levels} on User { ${last} }`

  it.each([
    [
      'by aliases',
      laughs(
        (next) => `a: friend { ${next} } b: friend { ${next} }`,
        'orders(first: $n) { edges { cursor } }',
        '($n: Int)',
      ),
    ],
    ['by spreading twice', laughs((next) => `${next} ${next}`, 'id recent(limit: $n) { id }', '($n: Float)')],
    [
      'by inline fragments',
      laughs((next) => `... on User { ${next} } ... { ${next} }`, 'recent(limit: $n) { id }', '($n: Float)'),
    ],
    [
      'under conditions',
      laughs((next) => `a: friend @include(if: $on) { ${next} } b: friend { ${next} }`, 'id', '($on: Boolean!)'),
    ],
  ])('are measured once each: %s', (_how, query) => {
    const began = performance.now()
    const measured = measure(query)
    expect(measured.fields).toBeGreaterThan(2 ** levels)
    expect(measured.cost({ n: 1, on: true })).toBeGreaterThan(2 ** levels)
    expect(() => requireWithin(defaultOperationLimits, measured, 0)).toThrow('at most')
    // Each on its own would take minutes.
    expect(performance.now() - began).toBeLessThan(5000)
  })
})

describe('[P15] a limit', () => {
  const measures = { depth: 3, fields: 3, rootFields: 3, aliases: 3, directives: 3, cost: () => 3 }
  const limits = { tokens: 3, depth: 3, fields: 3, rootFields: 3, aliases: 3, directives: 3, cost: 3 }

  it.each(Object.keys(limits).filter((name) => name !== 'tokens'))(
    'of %s lets pass what is at most as much',
    (name) => {
      expect(() => requireWithin(limits, measures, 3)).not.toThrow()
      const words = name === 'rootFields' ? 'root fields' : name
      expect(() => requireWithin({ ...limits, [name]: 2 }, measures, 3)).toThrow(
        expect.objectContaining({
          code: 'OPERATION_TOO_COMPLEX',
          message: `The operation asks for too much at once: ${words} 3, at most 2.`,
        }),
      )
    },
  )

  it('says so of what is beyond counting', () => {
    expect(() => requireWithin(limits, measures, Infinity)).toThrow('cost over 9007199254740991, at most 3.')
  })
})
