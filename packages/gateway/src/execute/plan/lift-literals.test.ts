import { buildSchema, Kind, type OperationDefinitionNode, parse, print, validate } from 'graphql'
import { expect, it } from 'vitest'
import { liftLiterals } from './lift-literals.ts'

const schema = buildSchema(`
  scalar Date
  enum Side { LEFT RIGHT }
  input Filter { text: String, limits: [Int!], inner: Filter, on: Date, side: Side, flag: Boolean }
  input OneOf @oneOf { a: String, b: Int }
  interface Node { id: ID! at(index: Int): String }
  type Item implements Node { id: ID! at(index: Int): String price(of: Float!): Float }
  type Query { item(id: ID!): Item, list(ids: [ID!]!, filter: Filter, on: Date, oneOf: OneOf): [Node] }
  type Mutation { change(id: ID!): Item }
`)

function lift(text: string) {
  const document = parse(text)
  expect(validate(schema, document)).toEqual([])
  const { operation, values } = liftLiterals(schema, document.definitions[0] as OperationDefinitionNode)
  const lifted = { kind: Kind.DOCUMENT, definitions: [operation] } as const
  // What was made of it validates, too.
  expect(validate(schema, lifted)).toEqual([])
  return { text: print(operation).replaceAll(/\s+/g, ' '), values }
}

it('numbers and strings of a query become variables of their types', () => {
  expect(lift('{ item(id: "a") { at(index: 3) price(of: 1) } }')).toEqual({
    text: 'query ($lifted_0: ID!, $lifted_1: Int!, $lifted_2: Float!) { item(id: $lifted_0) { at(index: $lifted_1) price(of: $lifted_2) } }',
    values: { lifted_0: 'a', lifted_1: 3, lifted_2: 1 },
  })
  expect(lift('{ item(id: 7) { id } }').values).toEqual({ lifted_0: '7' })
})

it('operations that differ in nothing else have one text, and others have not', () => {
  const of = (id: string, index: string) => lift(`{ item(id: ${id}) { at(index: ${index}) } }`).text
  expect(of('"a"', '1')).toBe(of('"b"', '2'))
  expect(of('"a"', '1')).not.toBe(of('"a"', 'null'))
})

it('equal values of one type are one variable, so that the same fields merge as before', () => {
  const same = lift('{ a: item(id: "1") { id } a: item(id: "1") { at(index: 1) } b: item(id: "2") { id } }')
  expect(same.values).toEqual({ lifted_0: '1', lifted_1: 1, lifted_2: '2' })
  expect(lift('{ a: item(id: "1") { id } b: item(id: "1") { id } }').text).not.toBe(
    lift('{ a: item(id: "1") { id } b: item(id: "2") { id } }').text,
  )
})

it('lists and input objects keep their form', () => {
  expect(lift('{ list(ids: ["a", "b"], filter: { text: "x", limits: [1, 2], inner: { text: "x" } }) { id } }')).toEqual(
    {
      text: 'query ($lifted_0: ID!, $lifted_1: ID!, $lifted_2: String!, $lifted_3: Int!, $lifted_4: Int!) { list( ids: [$lifted_0, $lifted_1] filter: {text: $lifted_2, limits: [$lifted_3, $lifted_4], inner: {text: $lifted_2}} ) { id } }',
      values: { lifted_0: 'a', lifted_1: 'b', lifted_2: 'x', lifted_3: 1, lifted_4: 2 },
    },
  )
})

it.each([
  ['a single value in the place of a list', '{ list(ids: "a") { id } }'],
  ['a custom scalar', '{ list(ids: [], on: "2026-01-01", filter: { on: 5 }) { id } }'],
  ['enums, booleans and null', '{ list(ids: [], filter: { side: LEFT, flag: true, text: null }) { id } }'],
  ['one of several inputs', '{ list(ids: [], oneOf: { a: "x" }) { id } }'],
  ['what is about the schema', '{ __type(name: "Item") { name } }'],
  ['what decides a condition', '{ list(ids: []) { id @skip(if: true) } }'],
  ['a mutation', 'mutation { change(id: "a") { id } }'],
  ['a query with a variable of such a name', 'query ($lifted_0: Int) { item(id: "a") { at(index: $lifted_0) } }'],
  ['a number that JSON does not have', '{ item(id: $id) { price(of: 1e999) } }'.replace('{', 'query ($id: ID!) {')],
])('%s is left as it is', (_what, text) => {
  expect(lift(text)).toEqual({ text: print(parse(text)).replaceAll(/\s+/g, ' '), values: null })
})
