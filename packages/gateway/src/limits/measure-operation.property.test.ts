import fc from 'fast-check'
import {
  buildSchema,
  type DocumentNode,
  type FragmentDefinitionNode,
  getArgumentValues,
  getDirectiveValues,
  getNamedType,
  getOperationAST,
  getVariableValues,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  GraphQLSkipDirective,
  isCompositeType,
  isListType,
  Kind,
  parse,
  type SelectionSetNode,
  validate,
} from 'graphql'
import { expect, it } from 'vitest'
import { measureOperation } from './measure-operation.ts'

const schema = buildSchema(`
  type Query { a: A, list: [A], sized(first: Int): [A], page(first: Int = 3, last: Int): P }
  type Mutation { a: A, list: [A], sized(first: Int): [A], page(first: Int = 3, last: Int): P }
  type A { x: Int, a: A, list: [A], grid: [[A]], sized(first: Int): [A], limited(limit: Int = 5): [P], page(first: Int = 3, last: Int): P }
  type P { edges: [E], nodes: [A], sized(first: Int): [A], total: Int, info: E }
  type E { cursor: Int, node: A }
`)

type TypeName = 'Query' | 'A' | 'P' | 'E'
const size = fc.constantFrom(
  '',
  '',
  '(first: 0)',
  '(first: 4)',
  '(first: -3)',
  '(first: null)',
  '(first: $n)',
  '(first: $m)',
)
const both = fc.oneof(
  size,
  fc.constantFrom('(last: 2)', '(first: $n, last: $m)', '(first: 6, last: $n)', '(last: null)'),
)
const condition = fc.constantFrom(
  '',
  '',
  '',
  '',
  '@include(if: $on)',
  '@skip(if: $on)',
  '@skip(if: true)',
  '@include(if: true)',
)
const fieldsOf: Record<TypeName, [name: string, type: TypeName | null, args: fc.Arbitrary<string>][]> = {
  Query: [
    ['a', 'A', fc.constant('')],
    ['list', 'A', fc.constant('')],
    ['sized', 'A', size],
    ['page', 'P', both],
  ],
  A: [
    ['x', null, fc.constant('')],
    ['a', 'A', fc.constant('')],
    ['list', 'A', fc.constant('')],
    ['grid', 'A', fc.constant('')],
    ['sized', 'A', size],
    ['limited', 'P', size.map((text) => text.replace('first', 'limit'))],
    ['page', 'P', both],
  ],
  P: [
    ['edges', 'E', fc.constant('')],
    ['nodes', 'A', fc.constant('')],
    ['sized', 'A', size],
    ['total', null, fc.constant('')],
    ['info', 'E', fc.constant('')],
  ],
  E: [
    ['cursor', null, fc.constant('')],
    ['node', 'A', fc.constant('')],
  ],
}

/** Each field has an alias of its own, so that none are merged. `...A0` and the like are fragments on their type. */
function selections(type: TypeName, depth: number, fragments: readonly string[]): fc.Arbitrary<string> {
  const field = fc
    .constantFrom(...fieldsOf[type])
    .chain(([name, inner, args]) =>
      fc
        .tuple(
          args,
          condition,
          inner === null
            ? fc.constant('')
            : depth === 0
              ? fc.constant('{ __typename }')
              : selections(inner, depth - 1, fragments),
        )
        .map(([given, when, set]) => `${name}${given} ${when} ${set}`),
    )
  const inline =
    depth === 0
      ? []
      : [fc.tuple(condition, selections(type, depth - 1, fragments)).map(([when, set]) => `... ${when} ${set}`)]
  const spreads = fragments
    .filter((name) => name.startsWith(type))
    .map((name) => condition.map((when) => `...${name} ${when}`))
  return fc
    .array(fc.oneof(field, ...inline, ...spreads), { minLength: 1, maxLength: 4 })
    .map((all) => `{ ${all.join(' ')} }`)
}

const names = ['A0', 'P0', 'A1', 'P1', 'E1'] as const
/** A fragment spreads only those after it. */
const definitions = fc.tuple(
  ...names.map((name, index) =>
    selections(name[0] as TypeName, 1, names.slice(index + 1)).map(
      (set) => `fragment ${name} on ${name.slice(0, 1)} ${set}`,
    ),
  ),
)
const operations = fc
  .tuple(fc.constantFrom('query', 'mutation'), selections('Query', 3, names), definitions)
  .map(([kind, set, fragments]) => {
    let aliases = 0
    const aliased = (text: string) =>
      text.replaceAll(
        /\b(a|x|list|grid|sized|limited|page|edges|nodes|total|info|cursor|node)(?=[ (])/g,
        (name) => `f${aliases++}: ${name}`,
      )
    const body = `${aliased(set)} ${fragments.map((text) => text.replace(/\{.*/, aliased)).join(' ')}`
    return `${kind} ($n: Int, $m: Int = 8, $on: Boolean!) ${body}`
  })
const variables = fc.record(
  { n: fc.constantFrom(null, -2, 0, 1, 7), m: fc.constantFrom(null, 1, 30), on: fc.boolean() },
  { requiredKeys: ['on'] },
)

/** As one would count by hand: every fragment written out, every argument coerced. */
function costByHand(document: DocumentNode, raw: Record<string, unknown>): number {
  const operation = getOperationAST(document)!
  const { coerced = {} } = getVariableValues(schema, operation.variableDefinitions ?? [], raw)
  const fragments = new Map(
    document.definitions
      .filter((node): node is FragmentDefinitionNode => node.kind === Kind.FRAGMENT_DEFINITION)
      .map((node) => [node.name.value, node]),
  )
  const set = ({ selections: all }: SelectionSetNode, parent: GraphQLObjectType, items: number): number => {
    let total = 0
    for (const node of all) {
      if (getDirectiveValues(GraphQLSkipDirective, node, coerced)?.['if'] === true) continue
      if (getDirectiveValues(GraphQLIncludeDirective, node, coerced)?.['if'] === false) continue
      if (node.kind === Kind.FRAGMENT_SPREAD) total += set(fragments.get(node.name.value)!.selectionSet, parent, items)
      if (node.kind === Kind.INLINE_FRAGMENT) total += set(node.selectionSet, parent, items)
      if (node.kind !== Kind.FIELD || node.name.value === '__typename') continue
      const field = parent.getFields()[node.name.value]!
      const type = getNamedType(field.type)
      if (parent === schema.getMutationType()) total += 10
      if (!isCompositeType(type)) continue
      const given = getArgumentValues(field, node, coerced)
      const sizes = ['first', 'last', 'limit'].map((name) => given[name]).filter((value) => typeof value === 'number')
      const asked = sizes.length > 0 ? Math.max(1, ...sizes) : null
      const isSized = field.args.length > 0
      const inner = (own: number) => 1 + set(node.selectionSet!, type as GraphQLObjectType, own)
      if (!isListType(field.type)) total += inner(asked ?? 10)
      else total += (isSized ? (asked ?? 10) : items) * (isListType(field.type.ofType) ? 10 : 1) * inner(10)
    }
    return total
  }
  return 1 + set(operation.selectionSet, schema.getRootType(operation.operation)!, 10)
}

it('[P15] the cost of any operation is what one would count by hand', () => {
  fc.assert(
    fc.property(operations, variables, (text, values) => {
      const document = parse(text)
      // Unused fragments and variables are none of our concern.
      const problems = validate(schema, document).filter(({ message }) => !message.includes('never used'))
      expect(problems).toEqual([])
      const measured = measureOperation(schema, document, getOperationAST(document)!)
      expect(measured.cost(values)).toBe(costByHand(document, values))
      // Nothing is kept of a request.
      expect(measured.cost({ on: true })).toBe(costByHand(document, { on: true }))
    }),
    { numRuns: 500 },
  )
})
