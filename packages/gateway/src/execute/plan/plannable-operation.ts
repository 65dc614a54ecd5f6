import {
  type DocumentNode,
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
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

  const planned: OperationDefinitionNode = visit(operation, {
    Variable(node) {
      const name = node.name.value
      if (!isPlanned(name)) return undefined
      const renamed = variables.get(name) ?? freshName()
      variables.set(name, renamed)
      clientNames.set(renamed, name)
      return { ...node, name: { kind: Kind.NAME, value: renamed } }
    },
    Field(node) {
      const name = node.name.value
      if (name === '__typename') return typename
      if (name.startsWith('__')) return null
      const source = sourceOf(node)
      return source === (node.alias ?? node.name).value
        ? undefined
        : { ...node, alias: { kind: Kind.NAME, value: source } }
    },
    SelectionSet: {
      leave: (node): SelectionSetNode | undefined =>
        node.selections.length === 0 ? { ...node, selections: [typename] } : undefined,
    },
  })
  let asks = false
  visit(planned, { Field: ({ name }) => void (asks ||= name.value !== '__typename') })
  return {
    document: asks ? pruneDefinitions(planned, new Map()) : null,
    sourceOf,
    variableOf: (name) => clientNames.get(name) ?? name,
  }
}
