import {
  buildASTSchema,
  type DefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type GraphQLSchema,
  type InputValueDefinitionNode,
  Kind,
  parseType,
  valueFromASTUntyped,
} from 'graphql'

/** What one subgraph serves by itself, so that an operation that fits it needs no other. */
export interface SubgraphPart {
  /** Its name. */
  readonly name: string
  readonly schema: GraphQLSchema
}

/**
 * Reads from a supergraph (Federation, join spec v0.5) which part of it each subgraph with subscriptions serves. A field
 * of which a subgraph only has the name (`@external`), or that it needs others for (`@requires`), is not in its part.
 *
 * @returns parts by the name of the Subscription field
 */
export function readSubscriptionParts(supergraph: DocumentNode): ReadonlyMap<string, SubgraphPart> {
  const parts = new Map<string, SubgraphPart>()
  for (const [value, name] of subgraphsOf(supergraph)) {
    const definitions = supergraph.definitions.flatMap((node) => definitionIn(node, value))
    const schema = buildASTSchema({ kind: Kind.DOCUMENT, definitions }, { assumeValid: true, assumeValidSDL: true })
    for (const field of Object.keys(schema.getSubscriptionType()?.getFields() ?? {})) parts.set(field, { name, schema })
  }
  return parts
}

/** Those that have Subscription fields: names by their values of `join__Graph`. */
function subgraphsOf({ definitions }: DocumentNode): Map<string, string> {
  const subscription = definitions.find(
    (node) => node.kind === Kind.OBJECT_TYPE_DEFINITION && node.name.value === 'Subscription',
  )
  const values = new Set(subscription ? applied(subscription, 'type').map(({ graph }) => graph) : [])
  const names = definitions.flatMap((node) =>
    node.kind === Kind.ENUM_TYPE_DEFINITION && node.name.value === 'join__Graph' ? (node.values ?? []) : [],
  )
  return new Map(
    names
      .filter(({ name }) => values.has(name.value))
      .map((node) => [node.name.value, String(applied(node, 'graph')[0]?.['name'])]),
  )
}

function definitionIn(node: DefinitionNode, graph: string): DefinitionNode[] {
  const inGraph = (from: Directives, directive: string) =>
    applied(from, directive).filter((each) => each['graph'] === graph)
  const hasField = (field: FieldDefinitionNode | InputValueDefinitionNode) => {
    const all = applied(field, 'field')
    return all.length === 0 || inGraph(field, 'field').some(isServed)
  }
  if (!('name' in node) || !node.name || !inGraph(node, 'type').some((type) => type['isInterfaceObject'] !== true))
    return []
  switch (node.kind) {
    case Kind.OBJECT_TYPE_DEFINITION:
    case Kind.INTERFACE_TYPE_DEFINITION: {
      const interfaces = new Set(inGraph(node, 'implements').map((each) => String(each['interface'])))
      return [
        {
          ...node,
          directives: [],
          interfaces: node.interfaces?.filter(({ name }) => interfaces.has(name.value)) ?? [],
          fields: node.fields?.filter(hasField).map((field) => ({ ...field, ...typeIn(field, graph) })) ?? [],
        },
      ]
    }
    case Kind.INPUT_OBJECT_TYPE_DEFINITION:
      return [
        {
          ...node,
          fields: node.fields?.filter(hasField).map((field) => ({ ...field, ...typeIn(field, graph) })) ?? [],
        },
      ]
    case Kind.UNION_TYPE_DEFINITION: {
      const members = new Set(inGraph(node, 'unionMember').map((each) => String(each['member'])))
      return [{ ...node, types: node.types?.filter(({ name }) => members.has(name.value)) ?? [] }]
    }
    default:
      return [node]
  }
}

const isServed = (field: Readonly<Record<string, unknown>>) =>
  field['external'] !== true &&
  field['usedOverridden'] !== true &&
  field['overrideLabel'] === undefined &&
  field['requires'] === undefined

/** Where subgraphs give a field different types, the supergraph says which. */
function typeIn(field: Directives, graph: string): object {
  const type = applied(field, 'field').find((each) => each['graph'] === graph)?.['type']
  return typeof type === 'string' ? { type: parseType(type) } : {}
}

interface Directives {
  readonly directives?: readonly DirectiveNode[] | undefined
}

/** Arguments of each `@join__<name>`. */
const applied = ({ directives = [] }: Directives, name: string): Record<string, unknown>[] =>
  directives
    .filter((directive) => directive.name.value === `join__${name}`)
    .map(({ arguments: given = [] }) =>
      Object.fromEntries(given.map((each) => [each.name.value, valueFromASTUntyped(each.value)])),
    )
