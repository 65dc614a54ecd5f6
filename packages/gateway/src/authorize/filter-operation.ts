import type { Refusal } from '@behalf/identity'
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  getOperationAST,
  type GraphQLCompositeType,
  type GraphQLNamedType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isObjectType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'
import { type Denial, isConditional, outside } from './denial.ts'
import { pruneDefinitions } from './prune-definitions.ts'

export interface FilteredOperation {
  /** One operation with what it uses and nothing else; null if nothing of it is left. */
  readonly document: DocumentNode | null
  /** At most {@link maxDenials}. */
  readonly denials: readonly Denial[]
  /** Why each field is not there, with paths from its parent on: its own rule, or what of its selection was denied. */
  readonly removed: ReadonlyMap<FieldNode, readonly Denial[]>
}

/** Decides what is asked for where it is reached: what is inside of something that is denied is not asked about. */
export interface Decide {
  field(node: FieldNode, parent: GraphQLCompositeType): Refusal | null
  /** A type that a fragment names, or whose fields are the operation's. */
  type(type: GraphQLNamedType): Refusal | null
}

interface FilteredSelections {
  readonly kept: SelectionNode[]
  readonly denials: Denial[]
  /** Whether something was removed that is asked for in any case: no condition or type decides otherwise. */
  isCut: boolean
}

/** Of one field's selection: fragments can name more places than any answer should list. */
const maxDenials = 100

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } }

/**
 * Removes what is denied, and fields of which nothing else was asked. `__typename` is added where the type of an
 * object cannot be told without it, and to a selection that only a condition or a type can empty.
 *
 * @param document - one that validates against `schema`.
 */
export function filterOperation(options: {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operationName: string | null
  readonly decide: Decide
}): FilteredOperation {
  const { schema, document, operationName, decide } = options
  const operation = operationOf(document, operationName)
  const fragments = new Map(
    document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  )
  /** By why they are denied as a whole; null where they are not. */
  const filteredFragments = new Map<Refusal | null, Map<string, FilteredSelections>>()
  const removed = new Map<FieldNode, readonly Denial[]>()

  /** @param denied - by the type of a fragment around these selections, which takes them all. */
  function filterSet(set: SelectionSetNode, parent: GraphQLCompositeType, denied: Refusal | null) {
    const into: FilteredSelections = { kept: [], denials: [], isCut: false }
    for (const node of set.selections) {
      if (node.kind === Kind.FIELD) filterField(node, parent, denied, into)
      else filterFragment(node, parent, denied, into)
    }
    return into
  }

  function filterField(
    node: FieldNode,
    parent: GraphQLCompositeType,
    denied: Refusal | null,
    into: FilteredSelections,
  ): void {
    const field = node.name.value
    if (field.startsWith('__')) {
      // Answered without asking any subgraph, also where it is not kept.
      if (denied === null) into.kept.push(node)
      return
    }
    const coordinate = `${parent.name}.${field}`
    const name = (node.alias ?? node.name).value
    const refusal = denied ?? decide.field(node, parent)
    if (refusal !== null) return remove(node, [{ ...refusal, path: [name], coordinate, conditions: [] }], into)
    if (node.selectionSet === undefined) return void into.kept.push(node)

    const type = isUnionType(parent) ? undefined : getNamedType(parent.getFields()[field]?.type)
    if (!isCompositeType(type)) throw new TypeError(`${coordinate} has no fields: the operation was not validated.`)
    const { kept, denials, isCut } = filterSet(node.selectionSet, type, null)
    const own = denials.map((denial) => ({ ...denial, path: [name, ...denial.path] }))
    if (kept.length === 0 && isCut) return remove(node, own, into)
    if (kept.length === 0 || (isAbstractType(type) && !kept.some(isTypename))) kept.unshift(typename)
    into.kept.push({ ...node, selectionSet: { kind: Kind.SELECTION_SET, selections: kept } })
    note(into, own, node)
  }

  function remove(node: FieldNode, denials: readonly Denial[], into: FilteredSelections): void {
    if (!removed.has(node)) removed.set(node, denials)
    note(into, denials, node)
    into.isCut ||= !isConditional(node)
  }

  function filterFragment(
    node: Exclude<SelectionNode, FieldNode>,
    parent: GraphQLCompositeType,
    denied: Refusal | null,
    into: FilteredSelections,
  ): void {
    const definition = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value)
    const type = definition?.typeCondition ? schema.getType(definition.typeCondition.name.value) : parent
    if (!definition || !isCompositeType(type)) throw new TypeError('A fragment of an operation that was not validated.')
    const filtered =
      node.kind === Kind.INLINE_FRAGMENT
        ? filterSet(node.selectionSet, type, denied ?? decide.type(type))
        : filterDefinition(node.name.value, definition.selectionSet, type, denied)
    if (filtered.kept.length > 0) {
      const selectionSet: SelectionSetNode = { kind: Kind.SELECTION_SET, selections: filtered.kept }
      into.kept.push(node.kind === Kind.INLINE_FRAGMENT ? { ...node, selectionSet } : node)
    }
    note(into, filtered.denials, node)
    into.isCut ||= filtered.isCut && !isConditional(node) && appliesAlways(type, parent)
  }

  /** Once for each definition (and refusal), however often it is spread. */
  function filterDefinition(
    name: string,
    set: SelectionSetNode,
    type: GraphQLCompositeType,
    denied: Refusal | null,
  ): FilteredSelections {
    const byName = filteredFragments.get(denied) ?? new Map<string, FilteredSelections>()
    filteredFragments.set(denied, byName)
    const known = byName.get(name)
    if (known) return known
    const filtered = filterSet(set, type, denied ?? decide.type(type))
    byName.set(name, filtered)
    return filtered
  }

  const appliesAlways = (type: GraphQLCompositeType, parent: GraphQLCompositeType) =>
    type === parent || (isAbstractType(type) && !isUnionType(parent) && schema.isSubType(type, parent))

  const root = schema.getRootType(operation.operation)
  if (!isObjectType(root)) throw new TypeError(`There is no ${operation.operation} type.`)
  const { kept, denials } = filterSet(operation.selectionSet, root, decide.type(root))
  if (kept.length === 0) return { document: null, denials, removed }

  const definitions = new Map<string, FragmentDefinitionNode>()
  for (const [name, definition] of fragments) {
    const selections = filteredFragments.get(null)?.get(name)?.kept ?? []
    definitions.set(name, { ...definition, selectionSet: { kind: Kind.SELECTION_SET, selections } })
  }
  const rest: OperationDefinitionNode = {
    ...operation,
    selectionSet: { kind: Kind.SELECTION_SET, selections: kept },
  }
  return { document: pruneDefinitions(rest, definitions), denials, removed }
}

export function operationOf(document: DocumentNode, operationName: string | null): OperationDefinitionNode {
  const operation = getOperationAST(document, operationName)
  if (!operation) throw new TypeError('Which operation to run cannot be told.')
  return operation
}

function note(into: FilteredSelections, denials: readonly Denial[], through: SelectionNode): void {
  for (const denial of denials.slice(0, maxDenials - into.denials.length)) into.denials.push(outside(denial, through))
}

const isTypename = (node: SelectionNode) =>
  node.kind === Kind.FIELD && node.name.value === '__typename' && node.alias === undefined && !isConditional(node)
