import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'

/** A client's operation with what decides which of its fields are wanted. */
export interface ClientOperation {
  readonly schema: GraphQLSchema
  readonly operation: OperationDefinitionNode
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>
  /** Values of the variables on which `@skip` and `@include` depend. */
  readonly conditions: Readonly<Record<string, unknown>>
  /** The name under which answers of subgraphs have a field. */
  sourceOf(field: FieldNode): string
}

export const fragmentsOf = ({ definitions }: DocumentNode): ReadonlyMap<string, FragmentDefinitionNode> =>
  new Map(
    definitions.flatMap((each) => (each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [])),
  )

/**
 * Fields of an object by response name, in the order of the answer (GraphQL 6.3.2). Of an object of which only an
 * interface is known, the fields that are asked for on that interface.
 */
export function collectFields(
  client: ClientOperation,
  type: GraphQLObjectType | GraphQLInterfaceType,
  sets: readonly SelectionSetNode[],
): ReadonlyMap<string, readonly FieldNode[]> {
  const { schema } = client
  const fields = new Map<string, FieldNode[]>()
  const seen = new Set<string>()

  function collect({ selections }: SelectionSetNode): void {
    for (const node of selections) {
      if (!isWanted(client, node)) continue
      if (node.kind === Kind.FIELD) {
        const name = (node.alias ?? node.name).value
        const same = fields.get(name)
        if (same) same.push(node)
        else fields.set(name, [node])
        continue
      }
      if (node.kind === Kind.FRAGMENT_SPREAD) {
        if (seen.has(node.name.value)) continue
        seen.add(node.name.value)
      }
      const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : client.fragments.get(node.name.value)
      if (fragment && applies(fragment.typeCondition?.name.value)) collect(fragment.selectionSet)
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

/** Whether `@skip` and `@include` let a selection take part (GraphQL 3.13). */
export function isWanted({ conditions }: ClientOperation, node: SelectionNode): boolean {
  if (node.directives === undefined || node.directives.length === 0) return true
  if (getDirectiveValues(GraphQLSkipDirective, node, conditions)?.['if'] === true) return false
  return getDirectiveValues(GraphQLIncludeDirective, node, conditions)?.['if'] !== false
}
