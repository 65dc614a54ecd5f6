import { createRefusal } from '@behalf/identity'
import { buildSchema, parse, print } from 'graphql'
import { describe, expect, it } from 'vitest'
import { type Decide, filterOperation } from './filter-operation.ts'
import { graphOf, needs, person } from './fixtures.ts'

const note = { __typename: 'Note', id: 'n1', text: 'hello', owner: { id: 'u1', name: 'Ada' } }
const vault = { __typename: 'Vault', id: 'v1', text: 'gold', code: 7, owner: { id: 'u2', name: 'Ben' } }

// As composed: what an implementation asks, its interface asks, too.
const graph = graphOf(
  `type Query { nodes: [Node], node: Node, found: [Found], open: Open, note: Note }
   interface Node { id: ID!, text: String, owner: User }
   interface Open { id: ID! }
   type Note implements Node & Open { id: ID!, text: String, owner: User }
   type Vault implements Node & Open { id: ID!, text: String, owner: User, code: Int! }
   union Found = Note | Vault
   type User { id: ID!, name: String }`,
  {
    'Node.text': needs('text'),
    'Vault.text': needs('text'),
    Vault: needs('vault'),
    'User.name': needs('profile'),
  },
  { nodes: [note, vault, null], node: vault, found: [vault, note], open: vault, note },
)

describe('a field of an interface', () => {
  it('asks what the interface asks, and what the type asks where that is named', async () => {
    expect(await graph.ask(person(), '{ nodes { id text } }')).toEqual({
      executed: '{ nodes { __typename id } }',
      data: { nodes: [{ id: 'n1', text: null }, { id: 'v1', text: null }, null] },
      errors: ['nodes.text UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect(await graph.ask(person('vault'), '{ nodes { id ... on Note { text } ... on Vault { text } } }')).toEqual({
      executed: '{ nodes { __typename id ... on Note { text } } }',
      data: { nodes: [{ id: 'n1', text: 'hello' }, { id: 'v1', text: null }, null] },
      errors: ['nodes.text UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect(await graph.ask(person('text'), '{ nodes { id text } }')).toMatchObject({
      executed: '{ nodes { id text } }',
    })
  })
})

describe('a fragment on a type that is denied', () => {
  const query = '{ found { ... on Vault { id code } ... on Note { id } __typename } }'

  it('is gone, and so are those objects, where a field of them cannot be null', async () => {
    expect(await graph.ask(person(), query)).toEqual({
      executed: '{ found { ... on Note { id } __typename } }',
      data: { found: [null, { id: 'n1', __typename: 'Note' }] },
      errors: ['found.id UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect((await graph.ask(person('vault'), query)).data).toEqual({
      found: [
        { id: 'v1', code: 7, __typename: 'Vault' },
        { id: 'n1', __typename: 'Note' },
      ],
    })
  })

  it('reports nothing where no such object is found', async () => {
    expect(await graph.ask(person(), '{ note { id ... on Node { ... on Vault { text } } } }')).toEqual({
      executed: '{ note { id } }',
      data: { note: { id: 'n1' } },
      errors: [],
    })
  })

  it('is gone by name, too, while the same fragment is kept elsewhere', async () => {
    const named = `{ found { ... on Vault { ...Id } ... on Note { ...Id } } open { ...Id } }
      fragment Id on Open { id }`
    expect(await graph.ask(person(), named)).toEqual({
      executed: '{ found { __typename ... on Note { ...Id } } open { __typename ...Id } } fragment Id on Open { id }',
      data: { found: [null, { id: 'n1' }], open: { id: 'v1' } },
      errors: ['found.id UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    const definition = '{ found { ...V ...N } } fragment V on Vault { id ...N } fragment N on Open { id }'
    expect(await graph.ask(person(), definition)).toMatchObject({
      executed: '{ found { __typename ...N } } fragment N on Open { id }',
    })
  })

  it('is gone with all that is in it, fragments on other types and __typename included', async () => {
    const within = '{ found { ... on Vault { __typename ... on Open { id } } ... on Note { id } } }'
    expect(await graph.ask(person(), within)).toMatchObject({
      executed: '{ found { __typename ... on Note { id } } }',
      data: { found: [null, { id: 'n1' }] },
    })
    expect(await graph.ask(person('vault', 'text'), within)).toMatchObject({ executed: within, errors: [] })
  })

  it('asks for types by a name that nothing else can have, and in any case', async () => {
    const query = 'query ($on: Boolean!) { nodes { kind: __typename __typename @include(if: $on) id text } }'
    expect(await graph.ask(person(), query, { variables: { on: false } })).toEqual({
      executed: 'query ($on: Boolean!) { nodes { __typename kind: __typename __typename @include(if: $on) id } }',
      data: { nodes: [{ kind: 'Note', id: 'n1', text: null }, { kind: 'Vault', id: 'v1', text: null }, null] },
      errors: ['nodes.text UNAUTHORIZED_FIELD_OR_TYPE'],
    })
  })

  it('leaves a parent that can be something else', async () => {
    expect(await graph.ask(person(), '{ found { ... on Vault { text } } node { ... on Vault { text } } }')).toEqual({
      executed: '{ found { __typename } node { __typename } }',
      data: { found: [{ text: null }, {}], node: { text: null } },
      errors: ['found.text UNAUTHORIZED_FIELD_OR_TYPE', 'node.text UNAUTHORIZED_FIELD_OR_TYPE'],
    })
  })

  it('takes all that is asked for only in it', async () => {
    expect(
      await graph.ask(person(), '{ open { id ... on Node { owner { id } } ... on Vault { owner { id name } } } }'),
    ).toEqual({
      executed: '{ open { __typename id ... on Node { owner { id } } } }',
      data: { open: { id: 'v1', owner: { id: 'u2', name: null } } },
      errors: ['open.owner.name UNAUTHORIZED_FIELD_OR_TYPE'],
    })
  })
})

describe('fragments', () => {
  it('are filtered once, wherever they are spread', async () => {
    const query = `{ a: note { ...Both } b: note { owner { ...Name } id } }
      fragment Both on Note { owner { ...Name id } }
      fragment Name on User { ... { name } }`
    expect(await graph.ask(person(), query)).toEqual({
      executed: '{ a: note { ...Both } b: note { id } } fragment Both on Note { owner { id } }',
      data: { a: { owner: { name: null, id: 'u1' } }, b: { owner: null, id: 'n1' } },
      errors: ['a.owner.name UNAUTHORIZED_FIELD_OR_TYPE', 'b.owner.name UNAUTHORIZED_FIELD_OR_TYPE'],
    })
  })

  it('that multiply cost no more than their text', async () => {
    const depth = 30
    const spread = (index: number) => `a${index}: owner { ...F${index + 1} } b${index}: owner { ...F${index + 1} }`
    const deep = graphOf(
      'type Query { owner: User } type User { owner: User, name: String }',
      { 'User.name': needs('profile') },
      {},
    )
    const fragments = Array.from(
      { length: depth },
      (_, index) => `fragment F${index + 1} on User { ${spread(index + 1)} }`,
    )
    const query = `{ ${spread(0)} } ${fragments.join(' ')} fragment F${depth + 1} on User { name }`
    const answer = await deep.ask(person(), query)
    expect(answer).toMatchObject({ executed: null, data: { a0: null, b0: null } })
    expect(answer.errors).toHaveLength(200)
  })
})

describe('@skip and @include', () => {
  const query = `query ($on: Boolean! = false) {
    note { owner { name @include(if: $on) } ... @skip(if: $on) { id } text } }`
  const strict = graphOf(
    `type Query { note: Note } type Note { id: ID!, text: String, owner: User } type User { name: String }`,
    { 'User.name': needs('profile'), 'Note.id': needs('ids') },
    { note },
  )

  it('say whether what is denied was asked for at all', async () => {
    expect(await strict.ask(person(), query, { variables: { on: true } })).toEqual({
      executed: '{ note { owner { __typename } text } }',
      data: { note: { owner: { name: null }, text: 'hello' } },
      errors: ['note.owner.name UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect(await strict.ask(person('ids'), query)).toEqual({
      executed: 'query ($on: Boolean! = false) { note { owner { __typename } ... @skip(if: $on) { id } text } }',
      data: { note: { owner: {}, id: 'n1', text: 'hello' } },
      errors: [],
    })
    expect(await strict.ask(person('profile'), query)).toMatchObject({
      data: { note: null },
      errors: ['note.id UNAUTHORIZED_FIELD_OR_TYPE'],
    })
  })

  it('say so of what is in a parent that is gone', async () => {
    const gone = 'query ($on: Boolean!) { note { id owner { name ... @include(if: $on) { other: name } } } }'
    expect(await strict.ask(person(), gone, { variables: { on: false } })).toMatchObject({
      executed: null,
      data: { note: null },
      errors: ['note.id UNAUTHORIZED_FIELD_OR_TYPE', 'note.owner.name UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    expect((await strict.ask(person(), gone, { variables: { on: true } })).errors).toHaveLength(3)
  })

  it('leave nothing to execute where only they would', async () => {
    const only = 'query ($on: Boolean!) { ... @include(if: $on) { note { id } } }'
    expect(await strict.ask(person(), only, { variables: { on: false } })).toEqual({
      executed: null,
      data: {},
      errors: [],
    })
    expect((await strict.ask(person(), only, { variables: { on: true } })).data).toEqual({ note: null })
  })
})

describe('filterOperation', () => {
  const schema = buildSchema(
    `directive @tag(on: Boolean) on QUERY
     type Query { a: A, x: Int, b: B, i: I } type A { x: Int }
     interface I { x: Int } interface J { x: Int } type B implements I { x: Int }
     type C implements I & J { x: Int }`,
  )
  const allow: Decide = { field: () => null, type: () => null }
  const filter = (text: string, decide: Decide = allow, operationName: string | null = null) =>
    filterOperation({ schema, document: parse(text), operationName, decide })

  it.each([
    ['{ x { y } }', 'Query.x has no fields'],
    ['{ ...F }', 'A fragment'],
    ['{ ... on Int { x } }', 'A fragment'],
    ['mutation { x }', 'There is no mutation type'],
    ['query Q { x } query R { x }', 'Which operation'],
  ])('throws where an operation was not validated: %s', (text, why) => {
    expect(() => filter(text)).toThrow(expect.objectContaining({ message: expect.stringContaining(why) }))
  })

  it.each([
    ['goes with what is always asked for', '{ b { ... on B { x } } }', null],
    ['goes with what its interface is always asked for', '{ b { ... on I { x } } }', null],
    ['stays where another object may be found', '{ i { ... on J { x } } }', '{ i { __typename } }'],
    [
      'stays where that is asked for conditionally',
      '{ b { ... on B { x @skip(if: false) } } }',
      '{ b { __typename } }',
    ],
    ['stays where the fragment is conditional', '{ b { ... on B @skip(if: false) { x } } }', '{ b { __typename } }'],
  ])('a field of which nothing is left %s', (_what, text, left) => {
    const decide: Decide = { ...allow, field: ({ name }) => (name.value === 'x' ? refusal('first') : null) }
    const { document } = filter(text, decide)
    expect(document && print(document).replaceAll(/\s+/g, ' ')).toBe(left)
    expect(filter(text).denials).toEqual([])
  })

  it('keeps what directives of the operation use', () => {
    const denyA: Decide = { ...allow, field: ({ name }) => (name.value === 'a' ? refusal('first') : null) }
    const { document } = filter(
      'query ($on: Boolean, $off: Boolean) @tag(on: $on) { x a { x @skip(if: $off) } }',
      denyA,
    )
    expect(document && print(document)).toMatch(/^query \(\$on: Boolean\) @tag\(on: \$on\)/)
  })

  it('notes 100 denials, and no more, of however many', () => {
    const fields = (count: number, name: string) => Array.from({ length: count }, (_, index) => `${name}${index}: x`)
    const decide: Decide = { ...allow, field: ({ name }) => (name.value === 'x' ? refusal('first') : null) }
    const noted = (...counts: number[]) => {
      const parts = counts.map((count, index) => `p${index}: a { ${fields(count, 'f').join(' ')} }`)
      return filter(`{ ${parts.join(' ')} }`, decide).denials.length
    }
    expect([noted(99), noted(100), noted(101), noted(60, 60)]).toEqual([99, 100, 100, 100])
  })

  it('says of a field that is gone twice why it was so first', () => {
    const text = '{ a { ...F ... @include(if: true) { ... on A { ...F } } } } fragment F on A { x }'
    let asked = 0
    const decide: Decide = {
      ...allow,
      field: ({ name }) => (name.value === 'x' ? refusal('first') : null),
      // Of A the first time nothing, as if a fragment around it were denied the second time.
      type: ({ name }) => (name === 'A' && ++asked > 2 ? refusal('second') : null),
    }
    const { removed } = filter(text, decide)
    const why = [...removed].flatMap(([{ name }, denials]) => (name.value === 'x' ? denials : []))
    expect(why.map(({ rule }) => rule)).toEqual(['first'])
    expect(asked).toBeGreaterThan(2)
  })
})

const refusal = (rule: string) => createRefusal('UNAUTHORIZED_FIELD_OR_TYPE', rule)
