import type { FieldRule, Graph, Policies } from '@behalf/identity'
import fc from 'fast-check'
import { buildSchema, parse, validate } from 'graphql'
import { rule } from '../fixtures/rule.ts'
import { agent, needs, nobody, person } from './fixtures.ts'

/** Objects of two types behind an interface and a union. */
export const schema = buildSchema(`
  type Query { a: A, node: Node, nodes: [Node!], any: [Any], open: Int, strict: A! }
  interface Node { id: ID!, next: Node }
  type A implements Node { id: ID!, next: Node, x(of: ID): Int, b: B, list: [B!]! }
  type B implements Node { id: ID!, next: Node, y(n: Int = 1, of: ID): Int, a: A! }
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

/**
 * As composition passes rules on: from an implementation to its interfaces, and from a type to what returns it. There,
 * the policies stay with the type.
 */
const implied: Readonly<Record<string, readonly string[]>> = {
  'A.id': ['Node.id'],
  'B.next': ['Node.next'],
  B: ['Node', 'A.b', 'A.list', 'Query.node', 'Query.nodes', 'A.next', 'B.next', 'Node.next'],
}
const both = (a: FieldRule['scopes'], b: FieldRule['scopes']) =>
  a.length === 0 || b.length === 0 ? [...a, ...b] : a.flatMap((one) => b.map((other) => [...one, ...other]))
const conjoin = (a: FieldRule, b: FieldRule): FieldRule => ({
  ...a,
  authenticated: a.authenticated || b.authenticated,
  scopes: both(a.scopes, b.scopes),
  policies: both(a.policies, b.policies),
  agent: a.agent === 'ALLOW' ? b.agent : a.agent,
})
/** Each by what it is told of the request alone. */
export const policies: Policies = {
  yes: () => true,
  late: async () => true,
  no: () => false,
  odd: ({ arguments: { n } }) => Number(n) % 2 === 1,
  person: ({ caller: { actor } }) => actor === null,
  stepUp: () => ({ maxAge: 60 }),
  broken: () => {
    throw new Error('broken')
  },
}
const someRule = fc.constantFrom(
  needs('s'),
  needs('s', 't'),
  rule({ scopes: [['t'], ['u']] }),
  rule({ authenticated: true }),
  rule({ policies: [['yes']] }),
  rule({ policies: [['no'], ['late', 'odd']] }),
  rule({ policies: [['odd'], ['broken']] }),
  rule({ policies: [['person', 'yes'], ['missing']] }),
  rule({ policies: [['stepUp']] }),
  rule({ policies: [['late']], scopes: [['s']] }),
  rule({ agent: 'DENY' }),
  rule({ agent: 'APPROVE' }),
)
export const someRules = fc
  .dictionary(fc.constantFrom(...coordinates), someRule, { noNullPrototype: true, maxKeys: 5 })
  .map((own) => {
    const rules: Record<string, FieldRule> = { ...own }
    for (const [coordinate, others] of Object.entries(implied)) {
      const passed = own[coordinate]
      if (!passed) continue
      for (const other of others) {
        const isReturned = coordinate === 'B' && other !== 'Node'
        rules[other] = conjoin(rules[other] ?? rule(), isReturned ? { ...passed, policies: [] } : passed)
      }
    }
    return rules
  })
export const someSubjects: fc.Arbitrary<Graph['subjects']> = fc.dictionary(
  fc.constantFrom('A.x(of:)', 'B.y(of:)'),
  fc.subarray(
    [
      { claim: 'sub', unless: [] },
      { claim: 'sub', unless: [['u']] },
    ],
    { minLength: 1 },
  ),
  { noNullPrototype: true },
)
export const someVariables = fc.record(
  { on: fc.boolean(), n: fc.constantFrom(1, 2, null), of: fc.constantFrom('usr_ada', 'usr_ben', null) },
  { requiredKeys: ['on'] },
)
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
    A: [...node, field('x'), field('x2: x(of: $of)'), field('b', 'B'), field('list', 'B'), on('A'), on('Node')],
    B: [
      ...node,
      field('y'),
      field('y2: y(n: $n)'),
      field('y3: y(n: 2, of: "usr_ada")'),
      field('y4: y(of: $of)'),
      field('a', 'A'),
      on('B'),
      on('Any'),
    ],
    Node: [...node, on('A'), on('B'), on('Any')],
    Any: [on('A'), on('B'), on('Node'), spread],
  }[parent]
  return fc
    .array(fc.oneof(...choices, fc.constant('__typename')), { minLength: 1, maxLength: 4 })
    .map((all) => `{ ${all.join(' ')} }`)
}

/** Operations that validate. `$on` decides conditions, `$n` and `$of` are arguments. */
export const someOperation = fc
  .tuple(
    selections('Query', 4),
    selections('Node', 1).filter((text) => !text.includes('...F')),
  )
  .map(([query, fragment]) => {
    const spread = query.includes('...F') ? ` fragment F on Node ${fragment}` : ''
    const used = [
      ...(/\$on\b/.test(`${query}${spread}`) ? ['$on: Boolean!'] : []),
      ...(/\$n\b/.test(`${query}${spread}`) ? ['$n: Int'] : []),
      ...(/\$of\b/.test(`${query}${spread}`) ? ['$of: ID = "usr_ben"'] : []),
    ]
    return `query ${used.length > 0 ? `(${used.join(', ')})` : ''} ${query}${spread}`
  })
  .filter((text) => validate(schema, parse(text)).length === 0)
