import {
  type FieldNode,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql'

/** A client's operation, normalised. */
export interface ClientOperation {
  /** What clients see. */
  readonly schema: GraphQLSchema
  readonly operation: OperationDefinitionNode
  /** The name under which the data of subgraphs has a field. */
  sourceOf(field: FieldNode): string
}

/**
 * Fields of an object by response name, in the order of the answer (GraphQL 6.3.2). Of an object of which only an
 * interface is known, those that are asked for on that interface: all, unless it {@link asksForType}.
 */
export function collectFields(
  schema: GraphQLSchema,
  type: GraphQLObjectType | GraphQLInterfaceType,
  sets: readonly SelectionSetNode[],
): ReadonlyMap<string, readonly FieldNode[]> {
  const fields = new Map<string, FieldNode[]>()

  function collect({ selections }: SelectionSetNode): void {
    for (const node of selections) {
      if (node.kind === Kind.FIELD) {
        const name = (node.alias ?? node.name).value
        const same = fields.get(name)
        if (same) same.push(node)
        else fields.set(name, [node])
      } else if (node.kind === Kind.INLINE_FRAGMENT && applies(schema, node.typeCondition?.name.value, type)) {
        collect(node.selectionSet)
      }
    }
  }
  for (const set of sets) collect(set)
  return fields
}

/** Whether it takes an object's own type to tell which of its fields are asked for: more than the interface that it is known by. */
export function asksForType(
  schema: GraphQLSchema,
  type: GraphQLInterfaceType,
  sets: readonly SelectionSetNode[],
): boolean {
  const fragments = sets.flatMap(({ selections }) => selections.filter((node) => node.kind === Kind.INLINE_FRAGMENT))
  return fragments.some(
    ({ typeCondition, selectionSet }) =>
      !applies(schema, typeCondition?.name.value, type) || asksForType(schema, type, [selectionSet]),
  )
}

/** Whether a fragment is of all objects of a type. */
function applies(
  schema: GraphQLSchema,
  condition: string | undefined,
  type: GraphQLObjectType | GraphQLInterfaceType,
): boolean {
  if (condition === undefined || condition === type.name) return true
  const conditional = schema.getType(condition)
  return isAbstractType(conditional) && schema.isSubType(conditional, type)
}
