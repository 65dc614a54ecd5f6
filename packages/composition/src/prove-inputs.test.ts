import { describe, expect, it } from 'vitest'
import { composed, query, refused, tool, type Repository } from './fixtures.ts'

const people = 'extend type Query { team(size: Int): Team } type Team @public { lead: User }'
const transfer = (marks: string) =>
  `input In { amount: Int! ${marks} } extend type Mutation { send(input: In!): Order } `

const cases: [string, string, Repository, Repository][] = [
  [
    'SUBJECT_UNBOUND',
    'a variable of the model',
    tool('query t($id: ID!) @tool { user(id: $id) { id } }'),
    tool('query t($id: ID! @subject) @tool { user(id: $id) { id } }'),
  ],
  [
    'SUBJECT_UNBOUND',
    'a literal',
    tool('query t @tool { user(id: "usr_ben") { id } }'),
    tool('query t($id: ID! @subject) @tool { user(id: $id) { id } }'),
  ],
  [
    'SUBJECT_UNBOUND',
    'another claim',
    tool('query t($id: ID! @subject(claim: "tenant")) @tool { user(id: $id) { id } }'),
    tool('query t($id: ID! @subject(claim: "sub")) @tool { user(id: $id) { id } }'),
  ],
  [
    'SUBJECT_UNBOUND',
    'in a literal input',
    tool('mutation t($w: ID!) @tool { send(input: { amount: 1, who: $w }) { id } }', transfer('who: ID @subject')),
    tool(
      'mutation t($w: ID! @subject) @tool { send(input: { amount: 1, who: $w }) { id } }',
      transfer('who: ID @subject'),
    ),
  ],
  [
    'SUBJECT_UNBOUND',
    'inside an input of the model',
    tool('mutation t($i: In!) @tool { send(input: $i) { id } }', transfer('who: ID @subject')),
    tool('mutation t($i: In!) @tool { send(input: $i) { id } }', transfer('what: ID')),
  ],
  [
    'SUBJECT_UNBOUND',
    'inside an input of the model, in a list',
    tool('query t($i: In!) @tool { f(in: [$i]) }', `input In { who: ID @subject } ${query('f(in: [In!]!): Int')}`),
    tool('query t($i: In!) @tool { f(in: [$i]) }', `input In { what: ID } ${query('f(in: [In!]!): Int')}`),
  ],
  [
    'SUBJECT_BY_NAME',
    'of a variable, in a list',
    tool('query t($userId: ID!) @tool { f(in: [$userId]) }', query('f(in: [ID!]!): Int')),
    tool('query t($x: ID!) @tool { f(in: [$x]) }', query('f(in: [ID!]!): Int')),
  ],
  [
    'SUBJECT_UNBOUND',
    'through a fragment',
    tool('query t($id: ID!) @tool { ...F } fragment F on Query { user(id: $id) { id } }'),
    tool('query t($id: ID! @subject) @tool { ...F } fragment F on Query { user(id: $id) { id } }'),
  ],
  [
    'SUBJECT_TYPE',
    'a bound number',
    tool('query t($n: Int @subject) @tool { f(n: $n) }', query('f(n: Int): Int')),
    tool('query t($n: Int) @tool { f(n: $n) }', query('f(n: Int): Int')),
  ],
  [
    'CLAIM_UNKNOWN',
    'of a variable',
    tool('query t($s: ID @subject(claim: "email")) @tool { f(s: $s) }', query('f(s: ID): Int')),
    tool('query t($s: ID @subject) @tool { f(s: $s) }', query('f(s: ID): Int')),
  ],
  [
    'PRINCIPAL_CHOSEN',
    'by id',
    tool('query t($x: ID!) @tool { find(x: $x) { id } }', query('find(x: ID!): User')),
    tool('query t($x: ID!) @tool { order(id: $x) { id } }'),
  ],
  [
    'PRINCIPAL_CHOSEN',
    'unless it cannot choose',
    tool('query t($x: ID!) @tool { find(x: $x) { id } }', query('find(x: ID!): User')),
    tool(
      'query t($x: ID!) @tool { find(x: $x) { id } }',
      query('find(x: ID! @notSubject(reason: "picks a language")): User'),
    ),
  ],
  [
    'PRINCIPAL_CHOSEN',
    'in a list',
    tool('query t($x: ID!) @tool { find(x: $x, first: 5) { id } }', query('find(x: ID!, first: Int): [User]')),
    tool('query t @tool { find(x: "a", first: 5) { id } }', query('find(x: ID!, first: Int): [User]')),
  ],
  [
    'PRINCIPAL_CHOSEN',
    'through an object of nobody',
    tool('query t($n: Int) @tool { team(size: $n) { __typename } }', people),
    tool('query t @tool { team(size: 3) { __typename } }', people),
  ],
  [
    'PRINCIPAL_CHOSEN',
    'through node(id:)',
    tool(
      'query t($x: ID!) @tool { node(id: $x) { id } }',
      'interface Node { id: ID! } type Dog implements Node @key(fields: "tag") @owner(field: "tag") { id: ID! tag: ID! } extend type Query { node(id: ID!): Node }',
    ),
    tool(
      'query t($x: ID!) @tool { node(id: $x) { id } }',
      'interface Node { id: ID! } type Dog implements Node @key(fields: "tag") @owner(field: "keeper") { id: ID! tag: ID! } extend type Query { node(id: ID!): Node }',
    ),
  ],
  [
    'SUBJECT_BY_NAME',
    'of an argument',
    tool('query t($x: ID!) @tool { f(userId: $x) }', query('f(userId: ID!): Int')),
    tool('query t($x: ID! @subject) @tool { f(userId: $x) }', query('f(userId: ID!): Int')),
  ],
  [
    'SUBJECT_BY_NAME',
    'of a variable',
    tool('query t($customerId: ID!) @tool { order(id: $customerId) { id } }'),
    tool('query t($orderId: ID!) @tool { order(id: $orderId) { id } }'),
  ],
  [
    'SUBJECT_BY_NAME',
    'inside an input of the model',
    tool('mutation t($i: In!) @tool { send(input: $i) { id } }', transfer('accountNumber: String')),
    tool(
      'mutation t($i: In!) @tool { send(input: $i) { id } }',
      transfer('accountNumber: String @notSubject(reason: "of a shop")'),
    ),
  ],
  [
    'SUBJECT_BY_NAME',
    'of the repository',
    {
      ...tool('query t($x: ID!) @tool { f(memberCard: $x) }', query('f(memberCard: ID!): Int')),
      files: { 'behalf.json': '{ "subjectNames": ["^member_card$"] }' },
    },
    tool('query t($x: ID!) @tool { f(memberCard: $x) }', query('f(memberCard: ID!): Int')),
  ],
]

describe.each(cases)('%s: %s', (code, _what, bad, good) => {
  it('is refused, and its twin composes', async () => {
    const problems = await refused(bad)
    expect(new Set(problems.map((problem) => problem.code))).toEqual(new Set([code]))
    expect(problems[0]?.file).toMatch(/^apps\/(orders|identity)\/tools\/\w+\.graphql$/)
    await composed(good)
  })
})
