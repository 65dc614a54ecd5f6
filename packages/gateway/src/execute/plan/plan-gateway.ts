import type { ApolloServerOptionsWithGateway, BaseContext } from '@apollo/server'
import { errorTable } from '@behalf/identity'
import { GraphQLError, type OperationDefinitionNode } from 'graphql'
import { LRUCache } from 'lru-cache'
import { inSpan } from '../../tracing.ts'
import type { RequestContext } from '../request-context.ts'
import { compileOperation, type ExecuteOperation } from './compile-operation.ts'
import { activeLabels } from './override-labels.ts'
import { problemOf } from './problem.ts'
import { readSupergraph } from './read-supergraph.ts'
import type { Subgraph } from './run.ts'
import { createIsOfType } from './type-conditions.ts'

type GatewayInterface = ApolloServerOptionsWithGateway<BaseContext>['gateway']

/** Of what is kept: plans, and characters of their operations, each of which stands for some 250 bytes. */
const planBounds = { max: 5000, maxSize: 500_000 }
const operationBounds = { max: 5000, maxSize: 5_000_000 }

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
  const { subgraph, random = Math.random } = options
  const supergraph = readSupergraph(options.supergraph)
  const subgraphs = new Map(supergraph.subgraphs.map((each) => [each.name, subgraph(each)]))
  const isOfType = createIsOfType(supergraph.fullSchema)
  const operations = new LRUCache<string, ExecuteOperation>(operationBounds)
  const plans = new LRUCache<string, ExecuteOperation>(planBounds)

  /** Of those made last for each operation, which are found sooner if they need not be put together, and hashed, anew. */
  const keys = new WeakMap<OperationDefinitionNode, { readonly parts: readonly string[]; readonly key: string }>()
  function keyOf(operation: OperationDefinitionNode, parts: readonly string[]): string {
    const known = keys.get(operation)
    if (known?.parts.length === parts.length && known.parts.every((part, index) => part === parts[index]))
      return known.key
    const key = parts.join(' ')
    keys.set(operation, { parts, key })
    return key
  }

  function subgraphOf(name: string): Subgraph {
    const found = subgraphs.get(name)
    if (found === undefined) throw new TypeError(`There is no subgraph "${name}".`)
    return found
  }

  return {
    onSchemaLoadOrUpdate(callback) {
      callback({ apiSchema: supergraph.apiSchema, coreSupergraphSdl: options.supergraph })
      return () => undefined
    },
    stop: async () => undefined,
    load: async () => ({
      executor: async ({ queryHash, operationName, document, operation, request, source, context }) => {
        const overrideLabels = activeLabels(supergraph.overrideLabels, random)
        const key = keyOf(operation, [queryHash, operationName ?? '', ...overrideLabels])
        const size = source.length + 1
        const known = operations.get(key)
        const parts = { supergraph, overrideLabels, subgraphOf, isOfType, plans }
        const execute = known ?? compileOperation({ document, operation, labels: overrideLabels, size }, parts)
        if (!known) operations.set(key, execute, { size })
        try {
          return await inSpan('gateway.execute', {}, async () =>
            execute(request.variables ?? {}, context as RequestContext),
          )
        } catch (error) {
          return { errors: [refusal(error)] }
        }
      },
    }),
  }
}

/** Of an operation that cannot be planned. */
function refusal(error: unknown): GraphQLError {
  const { message, code, details, cause } = problemOf(error)
  const originalError = error instanceof Error ? error : new TypeError('thrown', { cause })
  const extensions = { code, ...details, http: { status: errorTable[code].status } }
  return new GraphQLError(message, { originalError, extensions })
}
