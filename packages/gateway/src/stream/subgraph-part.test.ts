import { parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { readSubscriptionParts } from './subgraph-part.ts'

/** As composition writes it (join spec v0.5): `a` has the subscription, `b` more of what it yields. */
const supergraph = (fields = '', more = '') =>
  parse(`
  schema { query: Query subscription: Subscription }
  enum join__Graph {
    A @join__graph(name: "a", url: "http://a")
    B @join__graph(name: "b", url: "http://b")
  }
  type Query @join__type(graph: A) @join__type(graph: B) { q: Int @join__field(graph: B) }
  type Subscription @join__type(graph: A) @join__type(graph: B) { news(of: Kind): Item @join__field(graph: A) }
  enum Kind @join__type(graph: A) { X }
  type Item @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") {
    id: ID!
    title: String @join__field(graph: A)
    price: Int @join__field(graph: B)
    ${fields}
  }
  type Other @join__type(graph: B) { x: Int }
  ${more}`)

function served(selection: string, ...more: Parameters<typeof supergraph>): boolean {
  const part = readSubscriptionParts(supergraph(...more)).get('news')
  if (part === undefined) return false
  expect(part.name).toBe('a')
  return validate(part.schema, parse(`subscription { news(of: X) { ${selection} } }`)).length === 0
}

describe('what a subgraph serves of a subscription by itself', () => {
  it('is what it resolves', () => {
    expect(served('id title __typename')).toBe(true)
    expect(served('id price')).toBe(false)
  })

  it('names the subgraph, and none for a field that nobody subscribes to', () => {
    const parts = readSubscriptionParts(supergraph())
    expect([...parts.keys()]).toEqual(['news'])
    expect(parts.get('news')?.name).toBe('a')
    expect(readSubscriptionParts(parse('type Query { a: Int }'))).toEqual(new Map())
  })

  it.each([
    ['that it has only the name of', '@join__field(graph: A, external: true) @join__field(graph: B)'],
    ['that it needs others for', '@join__field(graph: A, requires: "price")'],
    [
      'that another one overrides',
      '@join__field(graph: A, usedOverridden: true) @join__field(graph: B, override: "a")',
    ],
    ['that another one overrides for some', '@join__field(graph: A, overrideLabel: "percent(5)")'],
  ])('leaves out a field %s', (_what, directives) => {
    expect(served('odd', `odd: Int ${directives}`)).toBe(false)
    // The twin: without them it is served.
    expect(served('odd', 'odd: Int @join__field(graph: A)')).toBe(true)
  })

  it('leaves out an interface that it only stands in for', () => {
    const kept = 'interface Thing @join__type(graph: A, key: "id") { id: ID! }'
    const standing = kept.replace('key: "id"', 'key: "id", isInterfaceObject: true')
    const field = 'thing: Thing @join__field(graph: A)'
    expect(served('thing { id }', field, kept)).toBe(true)
    const part = readSubscriptionParts(supergraph('', standing)).get('news')
    expect(part?.schema.getType('Thing')).toBeUndefined()
  })

  it('has of a union the members that it knows', () => {
    const union = `union Any @join__type(graph: A) @join__type(graph: B)
      @join__unionMember(graph: A, member: "Item") @join__unionMember(graph: B, member: "Other") = Item | Other`
    const field = 'any: Any @join__field(graph: A)'
    expect(served('any { ... on Item { id } }', field, union)).toBe(true)
    expect(served('any { ... on Other { x } }', field, union)).toBe(false)
  })

  it('gives a field the type that it has there', () => {
    const field = 'size: Int @join__field(graph: A, type: "Int!") @join__field(graph: B, type: "Int")'
    const part = readSubscriptionParts(supergraph(field)).get('news')
    expect(
      String(
        part?.schema.getType('Item') &&
          JSON.stringify(part.schema.toConfig().types.find(({ name }) => name === 'Item')?.astNode),
      ),
    ).toContain('NonNullType')
    expect(served('size', field)).toBe(true)
  })
})
