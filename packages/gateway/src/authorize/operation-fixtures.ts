import type { FieldRule } from '@behalf/identity'
import fc from 'fast-check'
import { buildSchema, parse, validate } from 'graphql'
import { agent, needs, nobody, person, rule } from './fixtures.ts'

/** Objects of two types behind an interface and a union. */
export const schema = buildSchema(`
  type Query { a: A, node: Node, nodes: [Node!], any: [Any], open: Int, strict: A! }
  interface Node { id: ID!, next: Node }
  type A implements Node { id: ID!, next: Node, x: Int, b: B, list: [B!]! }
  type B implements Node { id: ID!, next: Node, y(n: Int): Int, a: A! }
  union Any = A | B`)

const coordinates = [
  'Query.a',
  'Query.nodes',
  'Query.open',
  'A.x',
  'A.b',
  'A.list',
  'B.y',
  'B.a',
  'A.id',
  'B.next',
  'B',
]

/** As composition passes rules on: from an implementation to its interfaces, and from a type to what returns it. */
const implied: Readonly<Record<string, readonly string[]>> = {
  'A.id': ['Node.id'],
  'B.next': ['Node.next'],
  B: ['A.b', 'A.list', 'Node', 'Query.node', 'Query.nodes', 'A.next', 'B.next', 'Node.next'],
}
const conjoin = (a: FieldRule, b: FieldRule): FieldRule => ({
  ...a,
  authenticated: a.authenticated || b.authenticated,
  scopes:
    a.scopes.length === 0 || b.scopes.length === 0
      ? [...a.scopes, ...b.scopes]
      : a.scopes.flatMap((one) => b.scopes.map((other) => [...one, ...other])),
  policies: [...a.policies, ...b.policies],
  agent: a.agent === 'ALLOW' ? b.agent : a.agent,
})
const someRule = fc.constantFrom(
  needs('s'),
  needs('s', 't'),
  rule({ scopes: [['t'], ['u']] }),
  rule({ authenticated: true }),
  rule({ policies: [['p']] }),
  rule({ agent: 'DENY' }),
  rule({ agent: 'APPROVE' }),
)
export const someRules = fc
  .dictionary(fc.constantFrom(...coordinates), someRule, { noNullPrototype: true, maxKeys: 5 })
  .map((own) => {
    const rules: Record<string, FieldRule> = { ...own }
    for (const [coordinate, others] of Object.entries(implied)) {
      const passed = own[coordinate]
      if (passed) for (const other of others) rules[other] = conjoin(rules[other] ?? rule(), passed)
    }
    return rules
  })
export const somePrincipal = fc.oneof(
  fc.constant(nobody),
  fc.subarray(['s', 't', 'u']).map((scopes) => person(...scopes)),
  fc.subarray(['s', 't', 'u']).map((scopes) => agent(...scopes)),
)

/** Selections as text, of which `${parent}` decides the fields; `...F` is a fragment on Node. */
function selections(parent: 'Query' | 'A' | 'B' | 'Node' | 'Any', depth: number): fc.Arbitrary<string> {
  const inner = (type: typeof parent) => (depth === 0 ? fc.constant('{ __typename }') : selections(type, depth - 1))
  const condition = fc.constantFrom('', '', '', '@include(if: $on)', '@skip(if: $on)')
  const field = (name: string, type?: typeof parent) =>
    fc.tuple(condition, type ? inner(type) : fc.constant('')).map(([when, set]) => `${name} ${when} ${set}`)
  const on = (type: typeof parent) =>
    fc.tuple(condition, inner(type)).map(([when, set]) => `... on ${type} ${when} ${set}`)
  const spread = condition.map((when) => `...F ${when}`)
  const node = [field('id'), field('next', 'Node'), field('other: id'), spread]
  const choices = {
    Query: [
      field('a', 'A'),
      field('node', 'Node'),
      field('nodes', 'Node'),
      field('any', 'Any'),
      field('open'),
      field('strict', 'A'),
      field('q: a', 'A'),
      on('Query'),
    ],
    A: [...node, field('x'), field('b', 'B'), field('list', 'B'), on('A'), on('Node')],
    B: [...node, field('y'), field('y2: y(n: $n)'), field('a', 'A'), on('B'), on('Any')],
    Node: [...node, on('A'), on('B'), on('Any')],
    Any: [on('A'), on('B'), on('Node'), spread],
  }[parent]
  return fc
    .array(fc.oneof(...choices, fc.constant('__typename')), { minLength: 1, maxLength: 4 })
    .map((all) => `{ ${all.join(' ')} }`)
}

/** Operations that validate. `$on` decides conditions, `$n` is an argument. */
export const someOperation = fc
  .tuple(
    selections('Query', 4),
    selections('Node', 1).filter((text) => !text.includes('...F')),
  )
  .map(([query, fragment]) => {
    const spread = query.includes('...F') ? ` fragment F on Node ${fragment}` : ''
    const used = [
      ...(`${query}${spread}`.includes('$on') ? ['$on: Boolean!'] : []),
      ...(`${query}${spread}`.includes('$n') ? ['$n: Int'] : []),
    ]
    return `query ${used.length > 0 ? `(${used.join(', ')})` : ''} ${query}${spread}`
  })
  .filter((text) => validate(schema, parse(text)).length === 0)
