import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ComposedGateway, type ComposedSubgraph, startComposedGateway } from '../fixtures/composed-gateway.ts'

/** What ran in a subgraph, by coordinate. */
const ran: string[] = []
const run =
  <T>(coordinate: string, value: T) =>
  () =>
    ran.push(coordinate) && value
beforeEach(() => {
  ran.length = 0
})

const note = { __typename: 'Note', id: 'n1', text: 'hello', extra: 'note' }
const vault = { __typename: 'Vault', id: 'v1', text: 'gold', code: 7 }
const subgraphs: Readonly<Record<string, ComposedSubgraph>> = {
  nodes: {
    schema: `
      type Query { node: Node nodes: [Node] found: [Found] note: Note kind: Kind tag: Tag price: Price
        byKind(kind: Kind, tag: Tag): String}
      interface Node { id: ID! text(long: Boolean = false): String }
      type Note implements Node @public @key(fields: "id") { id: ID! text(long: Boolean = false): String extra: String }
      type Vault implements Node @public @requiresScopes(scopes: [["vault"]]) @authenticated {
        id: ID! text(long: Boolean = false): String @policy(policies: [["brief"]]) code: Int }
      union Found = Note | Vault
      enum Kind @requiresScopes(scopes: [["kinds"]]) { A B }
      scalar Tag @authenticated
      type Price @public { net: Int @requiresScopes(scopes: [["net"]]) gross: Int }`,
    resolvers: {
      Query: {
        node: run('Query.node', vault),
        nodes: run('Query.nodes', [note, vault]),
        found: run('Query.found', [vault, note]),
        note: run('Query.note', note),
        kind: run('Query.kind', 'A'),
        tag: run('Query.tag', 't'),
        price: run('Query.price', { net: 1, gross: 2 }),
        byKind: (_parent: unknown, given: unknown) => JSON.stringify(given),
      },
      Note: { __resolveReference: ({ id }: { id: string }) => ({ ...note, id }) },
    },
  },
  more: {
    schema: `
      type Query { secret: String @requiresScopes(scopes: [["a"], ["b"]]) @shareable }
      type Note @public @key(fields: "id") { id: ID! extra: String @external remark: String @requires(fields: "extra") }`,
    resolvers: {
      Query: { secret: run('Query.secret', 's') },
      Note: { remark: ({ extra }: { extra: string }) => `on ${extra}` },
    },
  },
  other: {
    schema: 'type Query { secret: String @requiresScopes(scopes: [["c"]]) @shareable }',
    resolvers: { Query: { secret: run('Query.secret', 's') } },
  },
}

let gateway: ComposedGateway
beforeAll(async () => {
  const policies = { brief: ({ arguments: { long } }: { arguments: Record<string, unknown> }) => long === false }
  gateway = await startComposedGateway({ subgraphs, policies })
})
afterAll(() => gateway[Symbol.asyncDispose]())

/** Asks as a user with these scopes, or as nobody. */
async function ask(query: string, scope: string | null = '', variables?: unknown) {
  const token = scope === null ? null : await gateway.token({ scope })
  const { data, errors = [] } = (await gateway.ask(query, { token, variables })).body
  return {
    data,
    errors: errors.map(({ path = [], extensions }) => `${path.join('.')} ${(extensions as { code: string }).code}`),
  }
}
const denied = (...paths: string[]) => paths.map((path) => `${path} UNAUTHORIZED_FIELD_OR_TYPE`)

describe("[P6] Federation's semantics: an interface", () => {
  it('asks what any object behind it asks, and a fragment what its type asks', async () => {
    expect(await ask('{ nodes { id } }')).toEqual({ data: { nodes: null }, errors: denied('nodes') })
    expect(ran).toEqual([])
    expect((await ask('{ nodes { id text } }', 'vault')).data).toEqual({
      nodes: [
        { id: 'n1', text: 'hello' },
        { id: 'v1', text: 'gold' },
      ],
    })
  })

  it('has the policies of the fields behind it, with its own arguments', async () => {
    expect(await ask('{ nodes { id a: text b: text(long: true) } }', 'vault')).toEqual({
      data: {
        nodes: [
          { id: 'n1', a: 'hello', b: null },
          { id: 'v1', a: 'gold', b: null },
        ],
      },
      errors: denied('nodes.b'),
    })
    expect(await ask('{ nodes { ... on Note { text(long: true) } ... on Vault { code } } }', 'vault')).toEqual({
      data: { nodes: [{ text: 'hello' }, { code: 7 }] },
      errors: [],
    })
  })
})

describe("[P6] Federation's semantics: a union", () => {
  it('is answered without what is denied of its members', async () => {
    expect(await ask('{ found { ... on Note { id text } ... on Vault { code } __typename } }')).toEqual({
      data: {
        found: [
          { code: null, __typename: 'Vault' },
          { id: 'n1', text: 'hello', __typename: 'Note' },
        ],
      },
      errors: denied('found.code'),
    })
    const named = '{ found { ...V ...N } } fragment V on Vault { code } fragment N on Node { ... on Note { id } }'
    expect((await ask(named, 'vault')).data).toEqual({ found: [{ code: 7 }, { id: 'n1' }] })
  })
})

describe("[P6] Federation's semantics: enums and scalars", () => {
  it('restrict the fields that return them, and no argument', async () => {
    expect(await ask('{ kind tag byKind(kind: A, tag: "x") }')).toEqual({
      data: { kind: null, tag: 't', byKind: '{"kind":"A","tag":"x"}' },
      errors: denied('kind'),
    })
    expect(await ask('{ kind tag byKind(kind: B, tag: "y") }', null)).toEqual({
      data: { kind: null, tag: null, byKind: '{"kind":"B","tag":"y"}' },
      errors: ['kind UNAUTHENTICATED', 'tag UNAUTHENTICATED'],
    })
    expect(await ask('{ kind }', 'kinds')).toEqual({ data: { kind: 'A' }, errors: [] })
  })
})

describe("[P6] Federation's semantics: several subgraphs", () => {
  it('all of whose rules hold, with a message that says so', async () => {
    for (const scope of ['a', 'c', 'a b']) expect((await ask('{ secret }', scope)).errors).toEqual(denied('secret'))
    for (const scope of ['a c', 'c b'])
      expect(await ask('{ secret }', scope)).toEqual({ data: { secret: 's' }, errors: [] })
    const { body } = await gateway.ask('{ secret }', { token: await gateway.token({ scope: 'a' }) })
    expect(body.errors).toMatchObject([
      {
        message: 'Needs the scopes a and c, or the scopes b and c.',
        extensions: {
          code: 'UNAUTHORIZED_FIELD_OR_TYPE',
          requiredScopes: [
            ['a', 'c'],
            ['b', 'c'],
          ],
        },
      },
    ])
  })

  it('resolve what a field requires of another', async () => {
    expect(await ask('{ note { remark } }')).toEqual({ data: { note: { remark: 'on note' } }, errors: [] })
  })
})

describe("[P6] Federation's semantics: aliases, and what is beside", () => {
  it('are null each by itself, and the rest is answered', async () => {
    expect(await ask('{ a: price { n: net m: net gross } b: price { net } }')).toEqual({
      data: { a: { n: null, m: null, gross: 2 }, b: null },
      errors: denied('a.n', 'a.m', 'b.net'),
    })
    expect(ran).toEqual(['Query.price'])
    expect((await ask('{ a: price { n: net gross } }', 'net')).data).toEqual({ a: { n: 1, gross: 2 } })
  })
})

describe("[P6] Federation's semantics: introspection", () => {
  it('is for everybody, whatever the types ask', async () => {
    const query = `{ __typename __schema { queryType { name } } __type(name: "Vault") { fields { name type { name } } }
      vault: __type(name: "Vault") { name } note { __typename } }`
    expect(await ask(query, null)).toEqual({
      data: {
        __typename: 'Query',
        __schema: { queryType: { name: 'Query' } },
        __type: { fields: expect.arrayContaining([{ name: 'code', type: { name: 'Int' } }]) },
        vault: { name: 'Vault' },
        note: { __typename: 'Note' },
      },
      errors: [],
    })
  })

  it('says nothing of the rules', async () => {
    const { text } = await gateway.ask('{ __schema { directives { name } types { name } } }')
    expect(text).not.toMatch(/requiresScopes|authenticated|policy|subject|owner/i)
  })
})

it('the rules that decide are those of the composed graph', () => {
  expect(Object.keys(gateway.graph.rules).toSorted()).toEqual(
    [
      'Kind',
      'Node',
      'Node.text',
      'Query.kind',
      'Query.node',
      'Query.nodes',
      'Query.secret',
      'Query.tag',
      'Price.net',
      'Tag',
      'Vault',
      'Vault.text',
    ].toSorted(),
  )
})
