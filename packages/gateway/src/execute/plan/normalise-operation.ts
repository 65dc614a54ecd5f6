import { AppError } from '@behalf/identity'
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getDirectiveValues,
  getNamedType,
  type GraphQLCompositeType,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  type InlineFragmentNode,
  isAbstractType,
  isCompositeType,
  isUnionType,
  Kind,
  type NamedTypeNode,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'

/** Selections of an operation with all its fragments in their places. Apollo's planner itself would take millions. */
const maxSelections = 50_000

/**
 * An operation as its fields: without `@skip` and `@include`, which these variables have decided, and with no other
 * fragments than those that depend on the type of an object. It has the same answer.
 *
 * Planned as it is, a field on a condition can take the requirements of its neighbours with it, and a fragment on an
 * interface or union that a type is always of may have no plan where a subgraph has it as an `@interfaceObject`.
 *
 * @param document - one that validates against `schema`.
 * @param conditions - values of all variables of conditions.
 * @throws {AppError} `OPERATION_TOO_COMPLEX` if fragments in fragments make too much of it.
 */
export function normaliseOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  conditions: Readonly<Record<string, unknown>>,
): OperationDefinitionNode {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const node of document.definitions)
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node)
  let count = 0

  function normaliseSet({ selections }: SelectionSetNode, parent: GraphQLCompositeType): SelectionNode[] {
    return selections.filter(isWanted).flatMap((node) => {
      if (++count > maxSelections) throw new AppError('OPERATION_TOO_COMPLEX')
      if (node.kind === Kind.FIELD) return normaliseField(node, parent)
      const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value)
      return fragment ? normaliseFragment(fragment, parent) : []
    })
  }

  function normaliseField({ directives: _decided, ...node }: FieldNode, parent: GraphQLCompositeType): FieldNode {
    if (node.selectionSet === undefined) return node
    const selections = normaliseSet(node.selectionSet, typeOf(parent, node.name.value))
    return { ...node, selectionSet: { kind: Kind.SELECTION_SET, selections } }
  }

  function normaliseFragment(
    { typeCondition, selectionSet }: InlineFragmentNode | FragmentDefinitionNode,
    parent: GraphQLCompositeType,
  ): readonly SelectionNode[] {
    const type = typeCondition ? schema.getType(typeCondition.name.value) : parent
    if (!isCompositeType(type) || isAlways(type, parent)) return normaliseSet(selectionSet, parent)
    const possible = possibleTypes(parent)
    const members = possibleTypes(type).filter((each) => possible.includes(each))
    if (members.length === 0) return []
    if (!isUnionType(type)) return onType(type, normaliseSet(selectionSet, type))
    // It has no fields: what is in it is of its members.
    if (members.length === possible.length) return normaliseSet(selectionSet, parent)
    return members.flatMap((each) => onType(each, normaliseSet(selectionSet, each)))
  }

  const possibleTypes = (type: GraphQLCompositeType): readonly GraphQLObjectType[] =>
    isAbstractType(type) ? schema.getPossibleTypes(type) : [type]

  const isAlways = (type: GraphQLCompositeType, parent: GraphQLCompositeType) =>
    type === parent || (isAbstractType(type) && !isUnionType(parent) && schema.isSubType(type, parent))

  function typeOf(parent: GraphQLCompositeType, field: string): GraphQLCompositeType {
    const introspected = { __schema: '__Schema', __type: '__Type' }[field]
    const type = introspected
      ? schema.getType(introspected)
      : getNamedType(isUnionType(parent) ? undefined : parent.getFields()[field]?.type)
    if (!isCompositeType(type))
      throw new TypeError(`${parent.name}.${field} has no fields: the operation was not validated.`)
    return type
  }

  function isWanted(node: SelectionNode): boolean {
    if (node.directives === undefined || node.directives.length === 0) return true
    if (getDirectiveValues(GraphQLSkipDirective, node, conditions)?.['if'] === true) return false
    return getDirectiveValues(GraphQLIncludeDirective, node, conditions)?.['if'] !== false
  }

  const root = schema.getRootType(operation.operation)
  if (!root) throw new TypeError(`There is no ${operation.operation} type.`)
  const selections = normaliseSet(operation.selectionSet, root)
  return { ...operation, selectionSet: { kind: Kind.SELECTION_SET, selections } }
}

const onType = ({ name }: GraphQLCompositeType, selections: readonly SelectionNode[]): InlineFragmentNode[] => {
  const typeCondition: NamedTypeNode = { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: name } }
  const selectionSet: SelectionSetNode = { kind: Kind.SELECTION_SET, selections }
  return selections.length === 0 ? [] : [{ kind: Kind.INLINE_FRAGMENT, typeCondition, selectionSet }]
}
