import type { FetchNode } from '@apollo/query-planner'
import { type FragmentDefinitionNode, Kind, type OperationDefinitionNode, parse, type SelectionSetNode } from 'graphql'
import type { Path } from './client-paths.ts'

/** What a fetch asks for, as far as its requests have to know it and its failure is told. */
export interface FetchSelection {
  /** Root fields by name, aliases aside. */
  readonly rootFields: readonly string[]
  /** Fields of the answer, or of each entity. */
  readonly fields: readonly FetchedField[]
  /** The place in the data of one in the subgraph's answer, where other names had to be used. */
  dataPathOf(path: Path): Path
}

export interface FetchedField {
  /** In the data. */
  readonly key: string
  /** Only objects of all these types have it. */
  readonly conditions: readonly string[]
}

export function readFetchSelection({ operation: text, requires, outputRewrites = [] }: FetchNode): FetchSelection {
  const document = parse(text, { noLocation: true })
  const operation = document.definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION)
  if (operation === undefined) throw new TypeError('A fetch without an operation.')
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const node of document.definitions)
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node)
  const renamed = new Map(
    outputRewrites.flatMap((rewrite) =>
      rewrite.kind === 'KeyRenamer' ? [[rewrite.path.at(-1), rewrite.renameKeyTo] as const] : [],
    ),
  )
  const root = fieldsOf(operation.selectionSet, fragments)
  const asked = requires ? fieldsOf(entitiesOf(operation), fragments) : root
  const fields = new Map<string, FetchedField>()
  for (const { response, conditions } of asked) {
    const key = renamed.get(response) ?? response
    if (key !== '__typename') fields.set([key, ...conditions].join(' '), { key, conditions })
  }
  return {
    rootFields: [...new Set(root.map(({ name }) => name))],
    fields: [...fields.values()],
    dataPathOf: (path) => path.map((key) => (typeof key === 'string' ? (renamed.get(key) ?? key) : key)),
  }
}

interface AskedField {
  readonly name: string
  readonly response: string
  readonly conditions: readonly string[]
}

function fieldsOf(
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  conditions: readonly string[] = [],
): AskedField[] {
  return selections.flatMap((node) => {
    if (node.kind === Kind.FIELD) {
      const name = node.name.value
      return [{ name, response: node.alias?.value ?? name, conditions }]
    }
    const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value)
    const condition = fragment?.typeCondition?.name.value
    const inner = condition === undefined ? conditions : [...conditions, condition]
    return fragment ? fieldsOf(fragment.selectionSet, fragments, inner) : []
  })
}

function entitiesOf({ selectionSet: { selections } }: OperationDefinitionNode): SelectionSetNode {
  for (const node of selections)
    if (node.kind === Kind.FIELD && node.name.value === '_entities' && node.selectionSet) return node.selectionSet
  throw new TypeError('A fetch of entities that asks for none.')
}
