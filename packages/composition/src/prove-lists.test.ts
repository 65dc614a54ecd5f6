import { query, tool } from './fixtures.ts'
import { inTool, testRefusals, type RefusalCase } from './refusal-fixture.ts'

const cases: readonly RefusalCase[] = [
  [
    'LIST_UNBOUNDED',
    'of objects',
    tool('query t($id: ID!) @tool { order(id: $id) { items { sku } } }'),
    tool(
      'query t($id: ID!) @tool { order(id: $id) { parts { sku } } }',
      'extend type Order { parts: [Item] @listSize(assumedSize: 20) }',
    ),
  ],
  [
    'LIST_UNBOUNDED',
    'without first',
    tool('query t @tool { os { id } }', query('os(first: Int): [Order]')),
    tool('query t @tool { os { id } }', query('os(first: Int = 20): [Order]')),
  ],
  [
    'LIST_UNBOUNDED',
    'by a variable that can be left out',
    tool('query t($n: Int) @tool { os(first: $n) { id } }', query('os(first: Int): [Order]')),
    tool('query t($n: Int = 10) @tool { os(first: $n) { id } }', query('os(first: Int): [Order]')),
  ],
  [
    'LIST_UNBOUNDED',
    'too large',
    tool('query t @tool { os(first: 101) { id } }', query('os(first: Int): [Order]')),
    tool('query t @tool { os(first: 100) { id } }', query('os(first: Int): [Order]')),
  ],
  [
    'LIST_UNBOUNDED',
    'in a connection',
    tool(
      'query t @tool { c { edges { node { id } } } }',
      `type C @public { edges: [E] } type E @public { node: Order } ${query('c(first: Int): C')}`,
    ),
    tool(
      'query t @tool { c(first: 5) { ...F } } fragment F on C { edges { node { id } } }',
      `type C @public { edges: [E] } type E @public { node: Order } ${query('c(first: Int): C')}`,
    ),
  ],
  [
    'LIST_UNBOUNDED',
    'not among the sized fields',
    tool(
      'query t @tool { c(n: 5) { edges { node { id } } } }',
      `type C @public { edges: [E] other: [Int] } type E @public { node: Order } ${query('c(n: Int): C @listSize(slicingArguments: ["n"], sizedFields: ["other"])')}`,
    ),
    tool(
      'query t @tool { c(n: 5) { edges { node { id } } } }',
      `type C @public { edges: [E] other: [Int] } type E @public { node: Order } ${query('c(n: Int): C @listSize(slicingArguments: ["n"], sizedFields: ["edges"])')}`,
    ),
  ],
]

testRefusals(cases, inTool)
