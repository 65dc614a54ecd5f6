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
 * interface is known, those that are asked for on that interface.
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
      } else if (node.kind === Kind.INLINE_FRAGMENT && applies(node.typeCondition?.name.value)) {
        collect(node.selectionSet)
      }
    }
  }
  function applies(condition: string | undefined): boolean {
    if (condition === undefined || condition === type.name) return true
    const conditional = schema.getType(condition)
    return isAbstractType(conditional) && schema.isSubType(conditional, type)
  }
  for (const set of sets) collect(set)
  return fields
}
