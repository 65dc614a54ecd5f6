import { createHash } from 'node:crypto'
import type { GraphQLServerContext } from '@apollo/server'
import { buildSchema, parse, print, validate } from 'graphql'
import { expect, it } from 'vitest'
import { createKnownDocuments } from './known-documents.ts'

const schema = buildSchema(`
  scalar Date
  enum Side { LEFT RIGHT }
  input Filter { text: String, limits: [Int!] }
  type Item { id: ID! at(index: Int): String price(of: Float): Float }
  type Query { item(id: ID!): Item, list(ids: [ID!]!, filter: Filter, on: Date, side: Side): [Item] }
`)

/** As Apollo Server asks: null where it has to validate the text itself. */
function createAsker() {
  const { hold, documentStore, plugin } = createKnownDocuments({ maxTokens: 100 })
  void plugin.serverWillStart?.({ schema } as GraphQLServerContext)
  return async (source: string, prefix = 'schema:') => {
    using held = hold(source)
    const key = `${prefix}${held.hash}`
    const found = await documentStore.get(key)
    if (found) return print(found)
    const document = parse(source)
    if (validate(schema, document).length === 0) await documentStore.set(key, document)
    return null
  }
}
const asText = (source: string) => print(parse(source))

it('a document that differs from a valid one in literals is known, with its own literals', async () => {
  const ask = createAsker()
  expect(await ask('{ item(id: "a") { at(index: 1) } }')).toBeNull()
  for (const source of ['{ item(id: "a") { at(index: 1) } }', '{ item(id: "b") { at(index: 2) } }'])
    expect(await ask(source)).toBe(asText(source))
  const fragment = (text: string) =>
    `query ($x: [ID!]!) { list(ids: $x) { ...F } } fragment F on Item { price(of: ${text}) }`
  expect(await ask(fragment('1.5'))).toBeNull()
  expect(await ask(fragment('2.5'))).toBe(asText(fragment('2.5')))
})

it('of another schema, nothing is known', async () => {
  const ask = createAsker()
  await ask('{ item(id: "a") { id } }')
  expect(await ask('{ item(id: "b") { id } }', 'other:')).toBeNull()
  expect(await ask('{ item(id: "b") { id } }')).not.toBeNull()
})

/** Valid, and something like it that is not; with a twin that is. */
it.each([
  [
    'a number out of range',
    '{ item(id: 1) { at(index: 1) } }',
    '{ item(id: 1) { at(index: 2147483648) } }',
    '{ item(id: 2) { at(index: -2147483648) } }',
  ],
  [
    'a value of another type',
    '{ item(id: 1) { at(index: 1) } }',
    '{ item(id: 1) { at(index: "1") } }',
    '{ item(id: 2) { at(index: 2) } }',
  ],
  [
    'arguments that differ where fields merge',
    '{ a: item(id: 1) { id } a: item(id: 1) { id } }',
    '{ a: item(id: 1) { id } a: item(id: 2) { id } }',
    '{ a: item(id: 3) { id } a: item(id: 3) { id } }',
  ],
  [
    'arguments that are written otherwise',
    '{ a: item(id: 1) { id } a: item(id: 1) { id } }',
    '{ a: item(id: 1) { id } a: item(id: "1") { id } }',
    '{ a: item(id: 4) { id } a: item(id: 4) { id } }',
  ],
  [
    'a variable of the name of a literal',
    '{ item(id: "a") { id } }',
    '{ item(id: $lifted_0) { id } }',
    '{ item(id: "b") { id } }',
  ],
  ['an argument twice', '{ item(id: "a") { id } }', '{ item(id: "a", id: "b") { id } }', '{ item(id: "b") { id } }'],
  [
    'another enum value',
    '{ list(ids: [], side: LEFT) { at(index: 1) } }',
    '{ list(ids: [], side: MIDDLE) { at(index: 1) } }',
    '{ list(ids: [], side: LEFT) { at(index: 2) } }',
  ],
  ['a field that is not there', '{ item(id: "a") { id } }', '{ item(id: "a") { ids } }', '{ item(id: "b") { id } }'],
  [
    'a list item of another type',
    '{ list(ids: ["a"], filter: { limits: [1] }) { id } }',
    '{ list(ids: ["a"], filter: { limits: [1.5] }) { id } }',
    '{ list(ids: ["b"], filter: { limits: [2] }) { id } }',
  ],
])('%s is still found by validation', async (_what, valid, invalid, twin) => {
  const ask = createAsker()
  expect(await ask(valid)).toBeNull()
  expect(validate(schema, parse(invalid))).not.toEqual([])
  expect(await ask(invalid)).toBeNull()
  expect(await ask(invalid)).toBeNull()
  expect(await ask(twin)).toBe(asText(twin))
})

it('a document with too many tokens is not parsed here either', async () => {
  const ask = createAsker()
  const long = (id: string) =>
    `{ ${Array.from({ length: 20 }, (_, index) => `a${index}: item(id: "${id}") { id }`).join(' ')} }`
  expect(await ask(long('a'))).toBeNull()
  expect(await ask(long('b'))).toBeNull()
})

it('a text is found by its hash for as long as a request that has it is under way', async () => {
  const { hold, texts } = createKnownDocuments({ maxTokens: 100 })
  const source = '{ list(ids: []) { id } }'
  const hash = createHash('sha256').update(source).digest('hex')
  const find = () => texts.get(`apq:${hash}`)
  expect(await find()).toBeUndefined()
  {
    using first = hold(source)
    {
      using second = hold(source)
      expect([first.hash, second.hash]).toEqual([hash, hash])
    }
    expect(await find()).toBe(source)
  }
  expect(await find()).toBeUndefined()
  // Longer than all that is kept may be.
  const long = `# ${'x'.repeat(2_000_000)}`
  using held = hold(long)
  expect(await texts.get(`apq:${held.hash}`)).toBe(long)
})
