import {
  type DocumentNode,
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql'
import { pruneDefinitions } from '../../authorize/prune-definitions.ts'
import type { AddedNames } from './added-names.ts'
import { isPlanned } from './request-body.ts'

/** An operation as it is planned: nothing that the client named can be taken for something of the plan. */
export interface PlannableOperation {
  /** Null where subgraphs have nothing to answer. */
  readonly document: DocumentNode | null
  /** The name under which answers to the plan have what a field of the client's operation asks for. */
  sourceOf(field: FieldNode): string
  /** The client's name of a variable of the plan. */
  variableOf(name: string): string
}

/** A name that the planner gives where fields of one name do not merge. */
const plannedAlias = /__alias_\d+$/

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } }

const selectionSet = (selections: readonly SelectionNode[]): SelectionSetNode => ({
  kind: Kind.SELECTION_SET,
  selections,
})

/**
 * Renames what clashes with fields and variables that plans add, or with members of every object (`constructor`).
 * Leaves out what is answered without subgraphs: introspection, and as what `__typename` is wanted.
 *
 * @param operation - normalised.
 */
export function preparePlanning(operation: OperationDefinitionNode, added: AddedNames): PlannableOperation {
  const taken = new Set(added.all)
  visit(operation, { Name: ({ value }) => void taken.add(value) })
  let count = 0
  function freshName(): string {
    let name: string
    do name = `_${count++}`
    while (taken.has(name))
    return name
  }
  const sources = new Map<string, string>()
  const variables = new Map<string, string>()
  const clientNames = new Map<string, string>()

  function sourceOf({ name, alias, arguments: given = [] }: FieldNode): string {
    const field = name.value
    const response = (alias ?? name).value
    if (field === '__typename') return field
    const isPlain = field === response && given.length === 0
    const clashes = isPlain ? added.withArguments.has(response) : added.all.has(response) || plannedAlias.test(response)
    if (!clashes && !(response in Object.prototype)) return response
    const key = `${response} ${field}`
    const source = sources.get(key) ?? freshName()
    sources.set(key, source)
    return source
  }

  /**
   * Wherever it is asked for, `__typename` is asked for of the whole object: which type an object has of which only an
   * interface is known is not found out in a fragment on that type.
   */
  function planSet({ selections }: SelectionSetNode): readonly SelectionNode[] {
    let isTyped = false
    const planned = selections.flatMap<SelectionNode>((node) => {
      if (node.kind === Kind.FIELD) {
        isTyped ||= node.name.value === '__typename'
        return planField(node)
      }
      if (node.kind !== Kind.INLINE_FRAGMENT) throw new TypeError('The operation was not normalised.')
      const inner = planSet(node.selectionSet)
      isTyped ||= inner.includes(typename)
      const fields = inner.filter((each) => each !== typename)
      return fields.length === 0 ? [] : [{ ...node, selectionSet: selectionSet(fields) }]
    })
    return isTyped || planned.length === 0 ? [typename, ...planned] : planned
  }

  function planField(node: FieldNode): FieldNode[] {
    const { name, alias, selectionSet: selected } = node
    // Introspection is not planned at all.
    if (name.value.startsWith('__')) return []
    const source = sourceOf(node)
    return [
      {
        ...node,
        ...(source !== (alias ?? name).value && { alias: { kind: Kind.NAME, value: source } }),
        ...(selected && { selectionSet: selectionSet(planSet(selected)) }),
      },
    ]
  }

  const planned: OperationDefinitionNode = visit(
    { ...operation, selectionSet: selectionSet(planSet(operation.selectionSet)) },
    {
      Variable(node) {
        const name = node.name.value
        if (!isPlanned(name)) return undefined
        const renamed = variables.get(name) ?? freshName()
        variables.set(name, renamed)
        clientNames.set(renamed, name)
        return { ...node, name: { kind: Kind.NAME, value: renamed } }
      },
    },
  )
  let asks = false
  visit(planned, { Field: ({ name }) => void (asks ||= name.value !== '__typename') })
  return {
    document: asks ? pruneDefinitions(planned, new Map()) : null,
    sourceOf,
    variableOf: (name) => clientNames.get(name) ?? name,
  }
}
