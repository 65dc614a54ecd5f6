import { DEFAULT_SUPPORTED_SUPERGRAPH_FEATURES, operationFromDocument, Supergraph } from '@apollo/federation-internals'
import { type QueryPlan, QueryPlanner } from '@apollo/query-planner'
import { type DirectiveNode, type DocumentNode, type GraphQLSchema, Kind, parse, visit } from 'graphql'
import { namesThatPlansAdd, type AddedNames } from './added-names.ts'

/** A supergraph, ready to plan operations against. */
export interface PlannedSupergraph {
  /** What clients see. */
  readonly apiSchema: GraphQLSchema
  /** With what clients do not see (`@inaccessible`), but subgraphs are asked for. */
  readonly fullSchema: GraphQLSchema
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[]
  readonly addedNames: AddedNames
  /** Labels of `@override` by which fields move between subgraphs, such as `percent(5)`. */
  readonly overrideLabels: readonly string[]
  /**
   * @param document - one operation and its fragments, which validate against the API schema.
   * @param labels - the labels that hold; fields are where the others say they are not.
   */
  plan(document: DocumentNode, labels: readonly string[]): QueryPlan
}

/** Beyond what Apollo's gateway supports: this executor passes arguments from contexts. */
const supportedFeatures = new Set([...DEFAULT_SUPPORTED_SUPERGRAPH_FEATURES, 'https://specs.apollo.dev/context/v0.1'])

/**
 * Of plans that differ in the order of subgraphs only, the planner would weigh 10,000, for seconds in which nobody else
 * is answered.
 */
const plannerConfig = { debug: { maxEvaluatedPlans: 300 } }

/** @throws what is wrong with the supergraph. */
export function readSupergraph(sdl: string): PlannedSupergraph {
  const document = withResolvableKeysFirst(parse(sdl, { noLocation: true }))
  const supergraph = Supergraph.build(document, { supportedFeatures })
  const federatedApi = supergraph.apiSchema()
  const planner = new QueryPlanner(supergraph, plannerConfig)
  return {
    apiSchema: federatedApi.toGraphQLJSSchema(),
    fullSchema: supergraph.schema.toGraphQLJSSchema(),
    subgraphs: supergraph.subgraphsMetadata(),
    addedNames: namesThatPlansAdd(document),
    overrideLabels: overrideLabelsOf(document),
    plan: (operation, labels) =>
      planner.buildQueryPlan(operationFromDocument(federatedApi, operation), {
        overrideConditions: new Map(labels.map((label) => [label, true])),
      }),
  }
}

/**
 * To come back to a subgraph with what a field `@requires`, the planner takes the first of a type's keys there, also one
 * with `resolvable: false`. It finds a resolvable one first where there is one.
 */
function withResolvableKeysFirst(document: DocumentNode): DocumentNode {
  const order = <T extends { readonly directives?: readonly DirectiveNode[] }>(node: T): T => ({
    ...node,
    directives: (node.directives ?? []).toSorted((a, b) => Number(isUnresolvable(a)) - Number(isUnresolvable(b))),
  })
  return visit(document, { ObjectTypeDefinition: order, InterfaceTypeDefinition: order })
}

const isUnresolvable = ({ arguments: given = [] }: DirectiveNode) =>
  given.some(({ name, value }) => name.value === 'resolvable' && value.kind === Kind.BOOLEAN && !value.value)

function overrideLabelsOf(document: DocumentNode): string[] {
  const labels = new Set<string>()
  visit(document, {
    Argument: ({ name, value }) => {
      if (name.value === 'overrideLabel' && value.kind === Kind.STRING) labels.add(value.value)
    },
  })
  return [...labels]
}
