import { describe, expect, it } from 'vitest'
import { compiled, header, query, refused, tool, type Repository } from './fixtures.ts'
import { testRefusals, type RefusalCase } from './refusal-fixture.ts'

const doc = '"""What it does."""\n'

const denied = (rule: string) =>
  `interface N { f: Int ${rule} } type T implements N @public { f: Int } extend type Query { t: T }`

/** A tool that selects what another subgraph adds to every Media. */
const mediaTool = (field: string, given = ''): Repository => ({
  ...tool(
    `query t @tool { m { g${given} } }`,
    'interface Media @key(fields: "id") { id: ID! } type Book implements Media @key(fields: "id") @public { id: ID! } extend type Query { m: Book }',
  ),
  files: {
    'apps/more/behalf.json': '{ "name": "more", "schema": "schema.graphql", "port": 4106 }',
    'apps/more/schema.graphql': `${header.replace('"@listSize"', '"@interfaceObject"')}
      type Media @interfaceObject @key(fields: "id") @public { id: ID! ${field} }`,
  },
})

const cancel = (summary: string | null) =>
  tool(
    `mutation t($a: ID!) @tool${summary === null ? '' : `(summary: ${JSON.stringify(summary)})`} { cancelOrder(orderId: $a) { id } }`,
  )
const byCaller = 'extend type Mutation { c(a: ID!, me: ID @subject): Int }'

const cases: readonly RefusalCase[] = [
  // what a tool is
  [
    'TOOL_DENIED_FIELD',
    'in a query',
    tool('query t @tool { f }', query('f: Int @agent(access: DENY)')),
    tool('query t @tool { f }', query('f: Int @agent(access: ALLOW)')),
  ],
  [
    'TOOL_DENIED_FIELD',
    'on an object, by alias, in a fragment',
    tool(
      'query t($id: ID!) @tool { order(id: $id) { ... on Order { a: f } } }',
      'extend type Order { f: Int @agent(access: DENY) }',
    ),
    tool('query t($id: ID!) @tool { order(id: $id) { ... on Order { a: f } } }', 'extend type Order { f: Int }'),
  ],
  [
    'TOOL_DENIED_FIELD',
    'on an object, said by its interface only',
    tool('query t @tool { t { f } }', denied('@agent(access: DENY)')),
    tool('query t @tool { t { f } }', denied('@agent(access: ALLOW)')),
  ],
  [
    'TOOL_DENIED_FIELD',
    'given to an object by an @interfaceObject',
    mediaTool('g: String @agent(access: DENY)'),
    mediaTool('g: String'),
  ],
  [
    'SUBJECT_UNBOUND',
    'an argument given to an object by an @interfaceObject',
    mediaTool('g(x: ID = "" @subject): String', '(x: "usr_ben")'),
    mediaTool('g(x: ID = ""): String', '(x: "usr_ben")'),
  ],
  ['TOOL_SUMMARY', 'that says nothing', cancel(null), cancel('Cancel {a}')],
  ['TOOL_SUMMARY', 'that is empty', cancel(' '), cancel('Cancel {a}')],
  ['TOOL_SUMMARY', 'that is too long', cancel(`Cancel {a}${' '.repeat(300)}`), cancel(`Cancel {a}${' '.repeat(290)}`)],
  ['TOOL_SUMMARY', 'that hides an argument', cancel('Cancel an order'), cancel('Cancel {a}')],
  ['TOOL_SUMMARY', 'that names none', cancel('Cancel {a} of {user}'), cancel('Cancel {a}')],
  ['TOOL_SUMMARY', 'with a brace of its own', cancel('Cancel {a} }'), cancel('Cancel {a}')],
  [
    'TOOL_SUMMARY',
    'that shows what the caller is, and a model never says',
    tool('mutation t($a: ID!, $me: ID! @subject) @tool(summary: "Cancel {a} of {me}") { c(a: $a, me: $me) }', byCaller),
    tool('mutation t($a: ID!, $me: ID! @subject) @tool(summary: "Cancel {a}") { c(a: $a, me: $me) }', byCaller),
  ],
  [
    'TOOL_SUMMARY',
    'of a generated tool',
    { orders: 'extend type Mutation { "C." c(a: ID!): Int @tool(summary: "Cancel") }' },
    { orders: 'extend type Mutation { "C." c(a: ID!): Int @tool(summary: "Cancel {a}") }' },
  ],
  [
    'TOOL_ROOTS',
    'a mutation of two',
    tool(
      'mutation t($a: ID!) @tool(summary: "Cancel {a}") { cancelOrder(orderId: $a) { id } b: cancelOrder(orderId: $a) { id } }',
    ),
    tool('mutation t($a: ID!) @tool(summary: "Cancel {a}") { cancelOrder(orderId: $a) { id } }'),
  ],
  [
    'TOOL_OPERATION',
    'two operations',
    tool('query t @tool { viewer { id } } query u { viewer { id } }'),
    tool('query t @tool { viewer { id } }'),
  ],
  [
    'TOOL_OPERATION',
    'a subscription',
    tool('subscription t @tool { s }', 'type Subscription { s: Int }'),
    tool('query t @tool { viewer { id } }'),
  ],
  [
    'TOOL_NAME',
    'not that of the file',
    tool('query other @tool { viewer { id } }'),
    tool('query t @tool { viewer { id } }'),
  ],
  [
    'TOOL_NAME',
    'another by @tool',
    tool('query t @tool(name: "u") { viewer { id } }'),
    tool('query t @tool(name: "t") { viewer { id } }'),
  ],
  ['TOOL_NOT_MARKED', 'no @tool', tool('query t { viewer { id } }'), tool('query t @tool { viewer { id } }')],
  [
    'TOOL_INVALID',
    'a field that is not there',
    tool('query t @tool { viewer { age } }'),
    tool('query t @tool { viewer { name } }'),
  ],
  [
    'TOOL_INVALID',
    'introspection',
    tool('query t @tool { __schema { description } }'),
    tool('query t @tool { __typename }'),
  ],
  ['TOOL_DESCRIPTION', 'none', { tool: 'query t @tool { viewer { id } }' }, tool('query t @tool { viewer { id } }')],
  [
    'TOOL_DESCRIPTION',
    'too long',
    { tool: `"""${'x'.repeat(1025)}""" query t @tool { viewer { id } }` },
    { tool: `"""${'x'.repeat(1024)}""" query t @tool { viewer { id } }` },
  ],
  [
    'TOOL_DIRECTIVE',
    'of no meaning',
    tool('query t @tool { viewer @owner(field: "x") { id } }'),
    tool('query t($x: Boolean!) @tool { viewer @include(if: $x) { id } }'),
  ],
  [
    'TOOL_DUPLICATE',
    'in two apps',
    {
      ...tool('query t @tool { viewer { id } }'),
      files: { 'apps/identity/tools/t.graphql': `${doc}query t @tool { viewer { id } }` },
    },
    {
      ...tool('query t @tool { viewer { id } }'),
      files: { 'apps/identity/tools/u.graphql': `${doc}query u @tool { viewer { id } }` },
    },
  ],
  // what a schema can say
  [
    'SCALAR_UNMAPPED',
    'in the result',
    tool('query t @tool { f }', `scalar Url ${query('f: Url')}`),
    {
      ...tool('query t @tool { f }', `scalar Url ${query('f: Url')}`),
      files: { 'behalf.json': '{ "scalars": { "Url": { "type": "string" } } }' },
    },
  ],
  [
    'SCALAR_UNMAPPED',
    'of an input',
    tool('query t($u: Url) @tool { f(u: $u) }', `scalar Url ${query('f(u: Url): Int')}`),
    tool('query t($u: Decimal) @tool { f(u: $u) }', query('f(u: Decimal): Int')),
  ],
  [
    'INPUT_RECURSIVE',
    'directly',
    tool('query t($i: I) @tool { f(i: $i) }', `input I { i: I x: Int } ${query('f(i: I): Int')}`),
    tool('query t($x: Int) @tool { f(i: { x: $x }) }', `input I { i: I x: Int } ${query('f(i: I): Int')}`),
  ],
  [
    'INPUT_TOO_DEEP',
    'six',
    tool(
      'query t($i: A) @tool { f(i: $i) }',
      `input A { b: B } input B { c: C } input C { d: D } input D { e: E } input E { f: F } input F { x: Int } ${query('f(i: A): Int')}`,
    ),
    tool(
      'query t($i: B) @tool { f(i: { b: $i }) }',
      `input A { b: B } input B { c: C } input C { d: D } input D { e: E } input E { f: F } input F { x: Int } ${query('f(i: A): Int')}`,
    ),
  ],
]

testRefusals(cases, /^apps\/(orders|identity)\/(tools\/\w+|src\/schema)\.graphql$/)

describe('a tool', () => {
  it('is compiled with everything that a caller of it needs', async () => {
    const made = await compiled({
      tool: `"""
Cancels an order.
"""
mutation t("Starts with ord_." $orderId: ID!, $reason: String = "none", $me: ID! @subject) @tool(title: "Cancel", summary: "Cancel {orderId} for {reason}", examples: ["cancel ord_1"]) {
  cancel(orderId: $orderId, reason: $reason, by: $me) { id }
}`,
      orders:
        'extend type Mutation { cancel(orderId: ID!, "Why." reason: String, by: ID @subject): Order @requiresScopes(scopes: [["orders:write"], ["admin"]]) }',
    })
    expect(made).toMatchObject({
      name: 't',
      title: 'Cancel',
      description: 'Cancels an order.',
      inputSchema: {
        type: 'object',
        properties: {
          orderId: { type: 'string', description: 'Starts with ord_.' },
          reason: { type: 'string', description: 'Why.', default: 'none' },
        },
        required: ['orderId'],
        additionalProperties: false,
      },
      bindings: [{ variable: 'me', claim: 'sub' }],
      scopes: [['admin'], ['orders:write']],
      policies: [],
      readOnly: false,
      approval: 'cancel',
      summary: 'Cancel {orderId} for {reason}',
      examples: ['cancel ord_1'],
    })
    expect(made.inputSchema['properties']).not.toHaveProperty('me')
    expect(made.operation).toMatch(/^mutation t\(\$orderId: ID!, \$reason: String = "none", \$me: ID!\) \{/)
    expect(made.version).toMatch(/^[\w-]{43}$/)
  })

  it('needs what all its fields need, together', async () => {
    const made = await compiled(
      tool(
        'query t($id: ID!) @tool { order(id: $id) { a b ...F } } fragment F on Order { c }',
        'extend type Order { a: Int @requiresScopes(scopes: [["x"], ["y"]]) b: Int @requiresScopes(scopes: [["x"]]) c: Int @policy(policies: [["p"]]) }',
      ),
    )
    expect(made.scopes).toEqual([['orders:read', 'x']])
    expect(made.policies).toEqual([['p']])
  })

  it('changes its version with the graph it is compiled against', async () => {
    const text = tool('query t($id: ID!) @tool { order(id: $id) { id } }')
    const first = await compiled(text)
    expect((await compiled(text)).version).toBe(first.version)
    expect((await compiled({ ...text, orders: 'extend type Query { more: Int }' })).version).toBe(first.version)
    expect((await compiled({ tool: text.tool?.replace('{ id }', '{ status }') ?? '' })).version).not.toBe(first.version)
  })

  it('has inputs inlined, enums with their descriptions, and bounded pages', async () => {
    const made = await compiled(
      tool(
        'query t($f: Filter!, $n: Int = 10) @tool { os(filter: $f, first: $n) { id } }',
        `"Which." input Filter { "By state." status: Status = PLACED ids: [ID!]! at: Decimal } ${query('os(filter: Filter!, first: Int): [Order]')}`,
      ),
    )
    expect(made.inputSchema).toEqual({
      type: 'object',
      properties: {
        f: {
          type: 'object',
          properties: {
            status: {
              type: 'string',
              enum: ['PLACED', 'SHIPPED'],
              default: 'PLACED',
              description: 'By state.\nPLACED: Received.\nSHIPPED: On its way.',
            },
            ids: { type: 'array', items: { type: 'string' }, maxItems: 100 },
            at: expect.objectContaining({ type: 'string', pattern: expect.any(String) }),
          },
          required: ['ids'],
          additionalProperties: false,
          description: 'Which.',
        },
        n: { type: 'integer', minimum: 1, maximum: 100, default: 10 },
      },
      required: ['f'],
      additionalProperties: false,
    })
  })

  it('has a schema of its result by aliases, fragments and possible types', async () => {
    const made = await compiled(
      tool(
        'query t($x: Boolean!) @tool { found { __typename ... on A { n: name } ... on Named { name @include(if: $x) } ... on B { size } } }',
        `interface Named { name: String! } type A implements Named @public { name: String! } type B implements Named @public { name: String! size: Int } union Found = A | B ${query('found: Found')}`,
      ),
    )
    const object = (properties: object, required: string[]) => ({
      type: 'object',
      properties,
      required,
      additionalProperties: false,
    })
    expect(made.outputSchema).toEqual(
      object(
        {
          found: {
            anyOf: [
              {
                anyOf: [
                  object({ __typename: { const: 'A' }, n: { type: 'string' }, name: { type: 'string' } }, [
                    '__typename',
                    'n',
                  ]),
                  object(
                    { __typename: { const: 'B' }, name: { type: 'string' }, size: { type: ['integer', 'null'] } },
                    ['__typename', 'size'],
                  ),
                ],
              },
              { type: 'null' },
            ],
          },
        },
        ['found'],
      ),
    )
  })
})

describe('a root field with @tool', () => {
  const field =
    'extend type Query { """Finds orders.""" findOrders(text: String!, first: Int = 5, by: ID @subject): [Order] @tool(examples: ["find"]) }'

  it('gets an operation: scalars to depth 2, nothing unbounded, subjects bound', async () => {
    const made = await compiled({ orders: field })
    expect(made).toMatchObject({
      name: 'find_orders',
      description: 'Finds orders.',
      examples: ['find'],
      bindings: [{ variable: 'by', claim: 'sub' }],
    })
    expect(made.operation.replaceAll(/\s+/g, ' ')).toBe(
      'query find_orders($text: String!, $first: Int = 5, $by: ID) { findOrders(text: $text, first: $first, by: $by) { id total status buyer { id name } } }',
    )
  })

  it('is replaced by a file of the same name', async () => {
    const made = await compiled({
      orders: field,
      files: {
        'apps/orders/tools/find_orders.graphql': `${doc}query find_orders @tool { findOrders(text: "a", first: 1) { id } }`,
      },
    })
    expect(made.description).toBe('What it does.')
  })

  it('is proven like any other', async () => {
    const problems = await refused({ orders: 'extend type Query { """Finds.""" find(x: ID!): User @tool }' })
    expect(problems).toMatchObject([{ code: 'PRINCIPAL_CHOSEN', file: 'apps/orders/src/schema.graphql' }])
    expect(await refused({ orders: 'extend type Query { find(x: Int): Order @tool }' })).toMatchObject([
      { code: 'TOOL_DESCRIPTION' },
    ])
    expect(await refused({ orders: 'extend type Order { find(x: Int): Order @tool }' })).toMatchObject([
      { code: 'DIRECTIVE_MISPLACED' },
    ])
  })
})
