import { query, tool } from './fixtures.ts'
import { inTool, testRefusals, type RefusalCase } from './refusal-fixture.ts'

const people = 'extend type Query { team(size: Int): Team } type Team @public { lead: User }'
const transfer = (marks: string) =>
  `input In { amount: Int! ${marks} } extend type Mutation { send(input: In!): Order } `

const fromInterface = (argument: string) =>
  `interface N { f(${argument}): Int } type T implements N @public { f(x: ID): Int } extend type Query { t: T }`
const jsonTool = tool('query t($x: JSON!) @tool { f(in: $x) }', `scalar JSON ${query('f(in: JSON!): Int')}`)

const cases: readonly RefusalCase[] = [
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
    tool(
      'mutation t($w: ID!) @tool(summary: "{w}") { send(input: { amount: 1, who: $w }) { id } }',
      transfer('who: ID @subject'),
    ),
    tool(
      'mutation t($w: ID! @subject) @tool(summary: "Send") { send(input: { amount: 1, who: $w }) { id } }',
      transfer('who: ID @subject'),
    ),
  ],
  [
    'SUBJECT_UNBOUND',
    'inside an input of the model',
    tool('mutation t($i: In!) @tool(summary: "{i}") { send(input: $i) { id } }', transfer('who: ID @subject')),
    tool('mutation t($i: In!) @tool(summary: "{i}") { send(input: $i) { id } }', transfer('what: ID')),
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
    'SUBJECT_UNBOUND',
    'null, which is refused when it is executed',
    tool('query t @tool { f(owner: null) }', query('f(owner: ID @subject): Int')),
    tool('query t @tool { f }', query('f(owner: ID @subject): Int')),
  ],
  [
    'SUBJECT_UNBOUND',
    'in a list with others',
    tool('query t($m: ID! @subject, $x: ID!) @tool { f(of: [$m, $x]) }', query('f(of: [ID!] @subject): Int')),
    tool('query t($m: ID! @subject) @tool { f(of: [$m]) }', query('f(of: [ID!] @subject): Int')),
  ],
  [
    'SUBJECT_UNBOUND',
    'said by the interface only',
    tool('query t($x: ID!) @tool { t { f(x: $x) } }', fromInterface('x: ID @subject')),
    tool('query t($x: ID!) @tool { t { f(x: $x) } }', fromInterface('x: ID')),
  ],
  [
    'SUBJECT_BY_NAME',
    'of an enum',
    tool('query t($x: Tenant!) @tool { f(in: $x) }', `enum Tenant { ACME } ${query('f(in: Tenant!): Int')}`),
    tool('query t($x: Region!) @tool { f(in: $x) }', `enum Region { ACME } ${query('f(in: Region!): Int')}`),
  ],
  [
    'SUBJECT_BY_NAME',
    'of a scalar inside an input of the model',
    {
      ...tool(
        'query t($i: In!) @tool { f(in: $i) }',
        `scalar UserId input In { x: UserId } ${query('f(in: In!): Int')}`,
      ),
      files: { 'behalf.json': '{ "scalars": { "UserId": { "type": "string" } } }' },
    },
    {
      ...tool('query t($i: In!) @tool { f(in: $i) }', `scalar Sku input In { x: Sku } ${query('f(in: In!): Int')}`),
      files: { 'behalf.json': '{ "scalars": { "Sku": { "type": "string" } } }' },
    },
  ],
  [
    'SCALAR_OPEN',
    'a scalar that hides an object',
    { ...jsonTool, files: { 'behalf.json': '{ "scalars": { "JSON": { "type": ["string", "object"] } } }' } },
    { ...jsonTool, files: { 'behalf.json': '{ "scalars": { "JSON": { "type": "string" } } }' } },
  ],
  [
    'SCALAR_OPEN',
    'a scalar that can be anything',
    { ...jsonTool, files: { 'behalf.json': '{ "scalars": { "JSON": {} } }' } },
    { ...jsonTool, files: { 'behalf.json': '{ "scalars": { "JSON": { "enum": ["a", 1] } } }' } },
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
    tool('mutation t($i: In!) @tool(summary: "{i}") { send(input: $i) { id } }', transfer('accountNumber: String')),
    tool(
      'mutation t($i: In!) @tool(summary: "{i}") { send(input: $i) { id } }',
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

testRefusals(cases, inTool)
