import { describe } from 'vitest'
import { query, tool } from './fixtures.ts'
import { inTool, testRefusals, type RefusalCase } from './refusal-fixture.ts'

/** What somebody writes who wants a model to choose whose rows are used, or does so without noticing. */
const nested = (marks: string) =>
  `input A { b: B } input B { c: [C!] } input C { d: D! } input D { who: ID ${marks} } ${query('f(in: A): Int')}`
const shared = 'input In { who: ID @subject what: ID }' + query('mine(in: In!): Int all(in: In!): Int')
const behind = (field: string) =>
  `interface Being { id: ID! } extend type User implements Being type Crew @public { ${field} } extend type Query { crew: Crew }`

const cases: readonly RefusalCase[] = [
  [
    'SUBJECT_UNBOUND',
    'a principal four inputs deep',
    tool('query t($i: A) @tool { f(in: $i) }', nested('@subject')),
    tool('query t($who: ID! @subject) @tool { f(in: { b: { c: [{ d: { who: $who } }] } }) }', nested('@subject')),
  ],
  [
    'SUBJECT_BY_NAME',
    'a principal four inputs deep, that only its name tells',
    tool('query t($i: A) @tool { f(in: $i) }', nested('').replace('who:', 'customerRef:')),
    tool('query t($i: A) @tool { f(in: $i) }', nested('').replace('who:', 'colour:')),
  ],
  [
    'PRINCIPAL_CHOSEN',
    'through a field of an interface',
    tool('query t($x: ID!) @tool { crew { any(x: $x) { id } } }', behind('any(x: ID!): Being')),
    tool('query t @tool { crew { any { id } } }', behind('any: Being')),
  ],
  [
    'PRINCIPAL_CHOSEN',
    'through a list of a union, under an alias',
    tool(
      'query t($x: Int!) @tool { a: pick(n: $x, first: 3) { __typename } }',
      `union Any = Order | User ${query('pick(n: Int!, first: Int): [Any]')}`,
    ),
    tool(
      'query t($x: Int!) @tool { a: pick(n: $x, first: 3) { __typename } }',
      `union Any = Order ${query('pick(n: Int!, first: Int): [Any]')}`,
    ),
  ],
  [
    'PRINCIPAL_CHOSEN',
    'an innocent name for an argument, and for the variable',
    tool('query t($colour: String!) @tool { find(shade: $colour) { name } }', query('find(shade: String!): User')),
    tool('query t($colour: String!) @tool { find(shade: $colour) { id } }', query('find(shade: String!): Order')),
  ],
  [
    'SUBJECT_UNBOUND',
    'an input of two fields, bound in one of them',
    tool('query t($me: ID! @subject, $i: In!) @tool { mine(in: { who: $me }) all(in: $i) }', shared),
    tool('query t($me: ID! @subject, $x: ID) @tool { mine(in: { who: $me }) all(in: { who: $me, what: $x }) }', shared),
  ],
  [
    'SUBJECT_BY_NAME',
    'a choice among tenants',
    tool('query t($t: Tenants!) @tool { f(in: $t) }', `enum Tenants { ACME GLOBEX } ${query('f(in: Tenants!): Int')}`),
    tool('query t($t: Colours!) @tool { f(in: $t) }', `enum Colours { RED GREEN } ${query('f(in: Colours!): Int')}`),
  ],
  [
    'SUBJECT_UNBOUND',
    'what one of two subgraphs calls a principal',
    {
      ...tool('query t($x: ID!) @tool { shared(k: $x) }', query('shared(k: ID!): Int @shareable')),
      loyalty: 'type Query { shared(k: ID! @subject): Int @shareable }',
    },
    {
      ...tool('query t($x: ID! @subject) @tool { shared(k: $x) }', query('shared(k: ID!): Int @shareable')),
      loyalty: 'type Query { shared(k: ID! @subject): Int @shareable }',
    },
  ],
]

describe('[P3] a schema that would let a model choose somebody', () => {
  testRefusals(cases, inTool)
})
