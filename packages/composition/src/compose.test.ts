import { Supergraph } from '@apollo/federation-internals'
import { buildSchema } from 'graphql'
import { describe, expect, it } from 'vitest'
import { canonicalHash } from './canonical-hash.ts'
import { composed, header, refused } from './fixtures.ts'

describe('compose', () => {
  it('makes a supergraph that the gateway loads, without the authorization specifications', async () => {
    const { graph } = await composed()
    // The features that @apollo/gateway supports are the default here.
    expect(() => Supergraph.build(graph.supergraph)).not.toThrow()
    expect(graph.supergraph).not.toMatch(/authenticated|requiresScopes|policy|behalf|@owner/)
    expect(graph.supergraph).toContain('url: "http://127.0.0.1:4102/graphql"')
    buildSchema(graph.supergraph)
  })

  it('hashes everything that it makes, the same every time', async () => {
    const [first, second] = [await composed(), await composed()]
    const { hash, ...rest } = first.graph
    expect(hash).toBe(canonicalHash(rest))
    expect(second.graph.hash).toBe(hash)
    expect((await composed({ orders: 'extend type Query { x: Int }' })).graph.hash).not.toBe(hash)
  })

  it('gives each subgraph the facts it declared and the scopes it can ask for', async () => {
    const { graph } = await composed({
      loyalty:
        'extend schema @identity(facts: ["tier", "name"]) type Query { points: Int @requiresScopes(scopes: [["a", "b"], ["c"]]) }',
    })
    expect(graph.subgraphs).toEqual({
      identity: { facts: [], scopes: ['users:read'], timeoutMs: 10_000 },
      loyalty: { facts: ['name', 'tier'], scopes: ['a', 'b', 'c'], timeoutMs: 10_000 },
      orders: { facts: [], scopes: ['orders:read', 'orders:write'], timeoutMs: 10_000 },
    })
  })

  it('tells all problems at once, sorted, each with a place and advice', async () => {
    const problems = await refused({
      orders: 'type Lost { x: Int }\nextend type Query { lost: Lost }',
      tool: '"""T."""\nquery t($id: ID!) @tool {\n  user(id: $id) { id }\n}',
    })
    expect(problems.map(({ code, file, line }) => [code, file, line])).toEqual([
      ['OWNERSHIP_UNSAID', 'apps/orders/src/schema.graphql', 18],
      ['SUBJECT_UNBOUND', 'apps/orders/tools/t.graphql', 3],
    ])
    for (const { advice } of problems) expect(advice).not.toBe('')
  })

  it("passes on Federation's errors, with their codes and places", async () => {
    const [problem] = await refused({ loyalty: 'type Query { order(id: ID!): Int }' })
    expect(problem).toMatchObject({ code: 'FIELD_TYPE_MISMATCH', file: expect.stringMatching(/^apps\//) })
    expect(problem?.line).toBeGreaterThan(1)
  })
})

describe('[P6] rules that Federation refuses', () => {
  const node = (onInterface: string, onNote: string) => ({
    orders: `interface Node ${onInterface} { x: Int } type Note implements Node @public ${onNote} { x: Int } extend type Query { node: Node }`,
  })
  const requiring = (rule: string) => ({
    orders: 'extend type Order { secret: Int @requiresScopes(scopes: [["s"]]) @policy(policies: [["p"]]) }',
    loyalty: `type Query { a: Int } type Order @key(fields: "id") @owner(field: "userId") @requiresScopes(scopes: [["orders:read"]]) { id: ID! secret: Int @external
        points: Int @requires(fields: "secret") ${rule} }`,
  })

  it('are those on an interface, and the advice is to put them behind it', async () => {
    const [problem] = await refused(node('@authenticated', ''))
    expect(problem).toMatchObject({
      code: 'AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE',
      advice: expect.stringContaining('object types that implement the interface'),
    })
    expect((await composed(node('', '@authenticated'))).graph.rules['Node']).toMatchObject({ authenticated: true })
  })

  it('are those that a field lacks which is made of what they restrict', async () => {
    for (const rule of ['', '@requiresScopes(scopes: [["s"]])', '@policy(policies: [["p"]])']) {
      const [problem] = await refused(requiring(rule))
      expect(problem).toMatchObject({
        code: 'MISSING_TRANSITIVE_AUTH_REQUIREMENTS',
        message: expect.stringContaining('Order.points'),
        advice: expect.stringContaining('Give the field all rules of the fields that its @requires'),
      })
    }
    await composed(requiring('@requiresScopes(scopes: [["s"]]) @policy(policies: [["p"]])'))
  })
})

describe('rules', () => {
  it('are those of the field and of the type it returns, over all subgraphs', async () => {
    const { graph } = await composed({
      orders: `extend type Query { vault: Vault @requiresScopes(scopes: [["a"], ["b"]]) shared: Int @shareable @authenticated }
        type Vault @public @requiresScopes(scopes: [["c"]]) { x: Int @policy(policies: [["p"]]) }`,
      loyalty: 'type Query { shared: Int @shareable @requiresScopes(scopes: [["d"]]) }',
    })
    expect(graph.rules['Query.vault']).toMatchObject({
      scopes: [
        ['a', 'c'],
        ['b', 'c'],
      ],
      agent: 'ALLOW',
      delegates: null,
    })
    expect(graph.rules['Vault']).toMatchObject({ scopes: [['c']] })
    expect(graph.rules['Vault.x']).toMatchObject({ policies: [['p']], scopes: [] })
    expect(graph.rules['Query.shared']).toMatchObject({ authenticated: true, scopes: [['d']] })
    expect(graph.rules['Order.id']).toBeUndefined()
  })

  it('keep the policies of a type with the type, and its other rules with what returns it, too', async () => {
    const { graph } = await composed({
      orders: `extend type Query { vault: Vault @policy(policies: [["own"]]) kind: Kind tag(kind: Kind): Tag }
        type Vault @public @policy(policies: [["p"], ["q"]]) @authenticated { x: Int }
        enum Kind @requiresScopes(scopes: [["kinds"]]) { A } scalar Tag @policy(policies: [["t"]])`,
    })
    expect(graph.rules['Query.vault']).toMatchObject({ policies: [['own']], authenticated: true })
    expect(graph.rules['Vault']).toMatchObject({ policies: [['p'], ['q']], authenticated: true })
    expect(graph.rules['Query.kind']).toMatchObject({ scopes: [['kinds']] })
    expect(graph.rules['Tag']).toMatchObject({ policies: [['t']] })
    expect(graph.rules['Query.tag']).toBeUndefined()
    const scalar = 'scalar Tag @policy(policies: [["t"]])'
    expect(await refused({ orders: `extend type Query { tag: Tag! } ${scalar}` })).toMatchObject([
      { code: 'NOT_NULLABLE', message: 'Query.tag is restricted (@policy t) and cannot be null.' },
    ])
    await composed({ orders: `extend type Query { tag: Tag } ${scalar}` })
  })

  it('pass from implementations to their interface', async () => {
    const { graph } = await composed({
      orders: `interface Node { id: ID secret: Int }
        type Note implements Node @public { id: ID secret: Int @requiresScopes(scopes: [["s"]]) @agent(access: DENY) }
        extend type Query { note: Node }`,
    })
    expect(graph.rules['Node.secret']).toMatchObject({ scopes: [['s']], agent: 'DENY' })
  })

  it('list every mutation, which needs approval unless it says otherwise', async () => {
    const { graph } = await composed({
      orders: `extend type Mutation { free: Int @agent(access: ALLOW) secret: Int @agent(access: DENY) chat: Int @delegates(agent: "assistant") plain: Int }`,
      loyalty: `type Query { points: Int } type Mutation { ${deciding} }`,
    })
    expect(graph.rules['Mutation.free']?.agent).toBe('ALLOW')
    expect(graph.rules['Mutation.secret']?.agent).toBe('DENY')
    expect(graph.rules['Mutation.plain']?.agent).toBe('APPROVE')
    expect(graph.rules['Mutation.chat']?.delegates).toEqual({ agent: 'assistant', subgraph: 'orders' })
    expect(graph.rules['Mutation.chat']?.approves).toBeNull()
    expect(graph.rules['Mutation.decide']).toMatchObject({ agent: 'DENY', delegates: null, approves: 'loyalty' })
  })

  it('take the strictest where subgraphs disagree about an agent, and say so', async () => {
    const { graph, warnings } = await composed({
      orders: 'extend type Query { shared: Int @shareable @agent(access: DENY) }',
      loyalty: 'type Query { shared: Int @shareable }',
    })
    expect(graph.rules['Query.shared']?.agent).toBe('DENY')
    expect(warnings).toMatchObject([{ code: 'RULES_DISAGREE', file: 'apps/loyalty/src/schema.graphql' }])
    const agreed = await composed({
      orders: 'extend type Query { shared: Int @shareable @agent(access: DENY) }',
      loyalty: 'type Query { shared: Int @shareable @agent(access: DENY) }',
    })
    expect(agreed.warnings).toEqual([])
  })
})

const app = (name: string, parts: object, schema = `${header} type Query { ${name}: Int }`) => ({
  [`apps/${name}/behalf.json`]: JSON.stringify(parts),
  [`apps/${name}/src/schema.graphql`]: schema,
})
const named = (name: string, port: number) => ({ name, port, schema: 'src/schema.graphql' })
/** "@authenticated" of somebody else's specification. */
const elsewhere = `${header.replace('"@authenticated", ', '')}
  extend schema @link(url: "https://example.com/auth/v1.0", import: ["@authenticated", "@other"])`
const agentsIn = (...agents: string[]) =>
  Object.assign(
    {},
    ...agents.map((agent, index) => {
      const fields = `type Query { q${index}: Int } type Mutation { m${index}: Int @delegates(agent: "${agent}") }`
      return app(`extra${index}`, named(`extra${index}`, 4200 + index), `${header} ${fields}`)
    }),
  ) as Record<string, string>
const deciding = 'decide(id: ID!, argumentsHash: String!, decision: String!): Int @agent(access: DENY) @approves'
const decides = (field: string) => schemaOf(`${header} type Query { a: Int } type Mutation { ${field} }`)
const schemaOf = (schema: string) => app('extra', named('extra', 4200), schema)

describe.each([
  ['APP_INVALID', app('extra', { ...named('extra', 4200), port: 0 }), app('extra', named('extra', 4200))],
  [
    'APP_INVALID',
    app('extra', { ...named('extra', 4200), schema: '../orders/src/schema.graphql' }),
    app('extra', named('extra', 4200)),
  ],
  ['APP_INVALID', { 'apps/extra/behalf.json': '{' }, {}],
  ['APP_INVALID', app('extra', { ...named('extra', 4200), scopes: [] }), app('extra', named('extra', 4200))],
  [
    'APP_INVALID',
    app('extra', { ...named('extra', 4200), demoScopes: ['a b'] }),
    app('extra', { ...named('extra', 4200), demoScopes: ['a:b'] }),
  ],
  // A role, a schema and a key of that name exist already, or cannot.
  ['APP_INVALID', app('extra', named('gateway', 4200)), app('extra', named('extra', 4200))],
  ['APP_INVALID', app('extra', named('loyalty-points', 4200)), app('extra', named('loyalty_points', 4200))],
  ['APP_DUPLICATE', app('extra', named('orders', 4200)), app('extra', named('extra', 4200))],
  ['APP_DUPLICATE', app('extra', named('extra', 4102)), app('extra', named('extra', 4200))],
  [
    'SETTINGS_INVALID',
    { 'behalf.json': '{ "subjectNames": ["("] }' },
    { 'behalf.json': '{ "subjectNames": ["^member_no$"] }' },
  ],
  ['SETTINGS_INVALID', { 'behalf.json': '{ "other": 1 }' }, { 'behalf.json': '{}' }],
  [
    'TICKETS_MIXED',
    decides(`${deciding} chat: Int @delegates(agent: "other")`),
    {
      ...app('more', named('more', 4209), `${header} type Query { c: Int } type Mutation { ${deciding} }`),
      ...agentsIn('other'),
    },
  ],
  ['SYNTAX', schemaOf(`${header} type Query {`), schemaOf(`${header} type Query { a: Int }`)],
  ['IDENTITY_NOT_LINKED', schemaOf('type Query { a: Int }'), schemaOf(`${header} type Query { a: Int }`)],
  [
    'IDENTITY_NOT_LINKED',
    schemaOf(`${header.replace('v0.1', 'v9.0')} type Query { a: Int }`),
    schemaOf(`${header} type Query { a: Int }`),
  ],
  [
    'DIRECTIVE_NOT_IMPORTED',
    schemaOf(`${header.replace(', "@agent"', '')} type Query { a: Int @agent(access: DENY) }`),
    schemaOf(`${header} type Query { a: Int @agent(access: DENY) }`),
  ],
  [
    'DIRECTIVE_NOT_IMPORTED',
    schemaOf(`${elsewhere} directive @authenticated on FIELD_DEFINITION type Query { a: Int @authenticated }`),
    schemaOf(`${elsewhere} directive @other on FIELD_DEFINITION type Query { a: Int @other }`),
  ],
  [
    'DIRECTIVE_RENAMED',
    schemaOf(
      `${header.replace('"@agent"', '{ name: "@agent", as: "@may" }')} type Query { a: Int @may(access: DENY) }`,
    ),
    schemaOf(`${header} type Query { a: Int @agent(access: DENY) }`),
  ],
  [
    'DIRECTIVE_RENAMED',
    schemaOf(
      `${header.replace('"@authenticated"', '{ name: "@authenticated", as: "@login" }')} type Query { a: Int @login }`,
    ),
    schemaOf(`${header} type Query { a: Int @authenticated }`),
  ],
  [
    'DIRECTIVE_RENAMED',
    schemaOf(`${header.replace('"@authenticated", ', '')} type Query { a: Int @federation__authenticated }`),
    schemaOf(`${header} type Query { a: Int @authenticated }`),
  ],
  [
    'DIRECTIVE_DEFINED',
    schemaOf(`${header} directive @public on OBJECT type Query { a: Int }`),
    schemaOf(`${header} type Query { a: Int }`),
  ],
  [
    'DIRECTIVE_INVALID',
    schemaOf(`${header} type Query { a: Int @agent(access: NEVER) }`),
    schemaOf(`${header} type Query { a: Int @agent(access: DENY) }`),
  ],
  [
    'DIRECTIVE_INVALID',
    schemaOf(`${header} type Query { a: A } type A @owner { id: ID }`),
    schemaOf(`${header} type Query { a: A } type A @owner(field: "x") { id: ID }`),
  ],
  [
    'DIRECTIVE_INVALID',
    schemaOf(`${header} type Query { a: A } type A @owner(field: "x", nless: []) { id: ID }`),
    schemaOf(`${header} type Query { a: A } type A @owner(field: "x", unless: []) { id: ID }`),
  ],
  [
    'DIRECTIVE_MISPLACED',
    schemaOf(`${header} type Query { a: Int @public }`),
    schemaOf(`${header} type Query { a: A } type A @public { a: Int }`),
  ],
  [
    'DIRECTIVE_MISPLACED',
    schemaOf(`${header} type Query { a: Int @delegates(agent: "x") }`),
    schemaOf(`${header} type Query { a: Int } type Mutation { b: Int @delegates(agent: "x") }`),
  ],
  [
    'DIRECTIVE_MISPLACED',
    schemaOf(`${header} type Query { a: Int @agent(access: APPROVE) }`),
    schemaOf(`${header} type Query { a: Int } type Mutation { b: Int @agent(access: APPROVE) }`),
  ],
  [
    'SCOPES_EMPTY',
    schemaOf(`${header} type Query { a: Int @requiresScopes(scopes: []) }`),
    schemaOf(`${header} type Query { a: Int @requiresScopes(scopes: [["s"]]) }`),
  ],
  [
    'SCOPES_EMPTY',
    schemaOf(`${header} type Query { a: Int @requiresScopes(scopes: [["s"], []]) }`),
    schemaOf(`${header} type Query { a: Int @requiresScopes(scopes: [["s"]]) }`),
  ],
  [
    'DELEGATES_TWICE',
    {
      ...app(
        'extra',
        named('extra', 4200),
        `${header} type Query { a: Int } type Mutation { b: Int @shareable @delegates(agent: "x") }`,
      ),
      ...app(
        'more',
        named('more', 4201),
        `${header} type Query { c: Int } type Mutation { b: Int @shareable @delegates(agent: "x") }`,
      ),
    },
    {},
  ],
  ['DIRECTIVE_MISPLACED', schemaOf(`${header} type Query { ${deciding} }`), decides(deciding)],
  ['DIRECTIVE_MISPLACED', decides(deciding.replace('DENY', 'APPROVE')), decides(deciding)],
  ['DIRECTIVE_MISPLACED', decides(`${deciding} @delegates(agent: "x")`), decides(deciding)],
  ['DIRECTIVE_MISPLACED', decides(deciding.replace('id: ID!', 'id: ID')), decides(deciding)],
  ['DIRECTIVE_MISPLACED', decides(deciding.replace('argumentsHash', 'hash')), decides(deciding)],
  [
    'APPROVES_TWICE',
    {
      ...app('extra', named('extra', 4200), `${header} type Query { a: Int } type Mutation { ${deciding} @shareable }`),
      ...app('more', named('more', 4201), `${header} type Query { c: Int } type Mutation { ${deciding} @shareable }`),
    },
    {},
  ],
  ['AGENT_TWICE', agentsIn('x', 'x'), agentsIn('x', 'y')],
])('%s', (code, bad, good) => {
  it('is refused, and its twin composes', async () => {
    expect((await refused({ files: bad })).map((problem) => problem.code)).toContain(code)
    await composed({ files: good })
  })
})
