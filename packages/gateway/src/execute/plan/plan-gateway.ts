import type { ApolloServerOptionsWithGateway, BaseContext } from '@apollo/server'
import type { DocumentNode, OperationDefinitionNode } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { RequestContext } from '../request-context.ts'
import { compileOperation, type ExecuteOperation } from './compile-operation.ts'
import { compilePlan } from './compile-plan.ts'
import { activeLabels } from './override-labels.ts'
import { preparePlanning } from './plannable-operation.ts'
import { readSupergraph } from './read-supergraph.ts'
import type { Subgraph } from './run.ts'
import { createIsOfType } from './type-conditions.ts'

type GatewayInterface = ApolloServerOptionsWithGateway<BaseContext>['gateway']

/** Bounds of what is kept: operations, and characters of their texts. */
const cacheBounds = { max: 5000, maxSize: 20_000_000 }

/**
 * A gateway for Apollo Server that plans with Apollo's planner and executes the plans itself. Contexts are
 * {@link RequestContext}s.
 *
 * Plans are kept by `queryHash` and operation name: whoever changes a document has to change its hash.
 *
 * @throws what is wrong with the supergraph.
 */
export function createPlanGateway(options: {
  readonly supergraph: string
  readonly subgraph: (subgraph: { readonly name: string; readonly url: string }) => Subgraph
  /** From 0 to 1: which requests are in the share of a progressive `@override`. */
  readonly random?: () => number
}): GatewayInterface {
  const { supergraph, subgraph, random = Math.random } = options
  const { apiSchema, fullSchema, addedNames, overrideLabels, plan, ...read } = readSupergraph(supergraph)
  const subgraphs = new Map(read.subgraphs.map((each) => [each.name, subgraph(each)]))
  const isOfType = createIsOfType(fullSchema)
  const compiled = new LRUCache<string, ExecuteOperation>(cacheBounds)

  function subgraphOf(name: string): Subgraph {
    const found = subgraphs.get(name)
    if (found === undefined) throw new TypeError(`There is no subgraph "${name}".`)
    return found
  }

  function compile(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    labels: readonly string[],
  ): ExecuteOperation {
    const plannable = preparePlanning(document, operation, addedNames)
    const { sourceOf, variableOf } = plannable
    const step =
      plannable.document && compilePlan(plan(plannable.document, labels), { subgraphOf, isOfType, variableOf })
    return compileOperation({ schema: apiSchema, document, operation, sourceOf, step })
  }

  return {
    onSchemaLoadOrUpdate(callback) {
      callback({ apiSchema, coreSupergraphSdl: supergraph })
      return () => undefined
    },
    stop: async () => undefined,
    load: async () => ({
      executor: async ({ queryHash, operationName, document, operation, request, source, context }) => {
        const labels = activeLabels(overrideLabels, random)
        const key = [queryHash, operationName ?? '', ...labels].join(' ')
        const known = compiled.get(key)
        const execute = known ?? compile(document, operation, labels)
        if (!known) compiled.set(key, execute, { size: source.length + 1 })
        return execute(request.variables ?? {}, context as RequestContext)
      },
    }),
  }
}
