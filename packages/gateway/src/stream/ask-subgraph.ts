import { AppError, type ContextSigner, contextTokenHeader, disclose, type Graph } from '@behalf/identity'
import type { ExecutionResult } from 'graphql'
import type { AuthorizedSubscription } from '../authorize/authorize-subscription.ts'
import type { RequestContext } from '../execute/request-context.ts'
import { traceHeaders } from '../tracing.ts'
import type { FitsOperation } from './fits-operation.ts'
import type { RouteSubscription } from './route-subscription.ts'
import type { ShapeEvent } from './shape-event.ts'
import type { SubgraphStreams } from './subgraph-streams.ts'

/** Events of a subscription as its caller is shown them. @throws {AppError} why there are no more */
export type AskSubgraph = (
  subscription: AuthorizedSubscription,
  context: Pick<RequestContext, 'principal' | 'txn' | 'trace' | 'record'> & {
    readonly signal: AbortSignal
    /** When the subgraph ends it by itself, in seconds since the epoch. */
    readonly until: number
  },
) => AsyncGenerator<ExecutionResult>

const fixedHeaders = { 'content-type': 'application/json', accept: 'text/event-stream' }

/** Asks the one subgraph that serves a subscription, with a context token made for exactly that request. */
export function createAskSubgraph(options: {
  readonly graph: Graph
  readonly route: RouteSubscription
  readonly streamsOf: (subgraph: string) => SubgraphStreams
  readonly fits: FitsOperation
  readonly shapeEvent: ShapeEvent
  readonly signer: ContextSigner
}): AskSubgraph {
  const { graph, route, streamsOf, fits, shapeEvent, signer } = options

  return async function* ask(subscription, { principal, txn, trace, record, signal, until }) {
    const { subgraph: to, query } = route(subscription)
    const { facts, scopes } = graph.subgraphs[to] ?? { facts: [], scopes: [] }
    const declared = { facts, scopes }
    const body = Buffer.from(JSON.stringify({ query, variables: subscription.variables }))
    const token = signer.sign(principal, { to, body, operation: 'subscription', txn, ...declared, until })
    const headers = { ...fixedHeaders, ...traceHeaders(trace), [contextTokenHeader]: token }
    record.hop({
      to,
      operation: 'subscription',
      ...disclose(principal, declared),
      ticket: false,
      outcome: 'OK',
      errors: [],
      ms: 0,
    })
    for await (const event of streamsOf(to).open({ body, headers, signal })) {
      if (!fits(query, event.data))
        throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, {
          cause: 'values do not have the shape of the operation',
        })
      yield await subscription.complete(shapeEvent(subscription, event))
    }
  }
}
