import { type ContextSigner, contextTokenHeader, disclose, type Graph } from '@behalf/identity'
import type { ExecutionResult } from 'graphql'
import { RequestRecord } from '../audit/request-record.ts'
import type { PlannedSubscription } from '../execute/plan/planned-subscription.ts'
import type { RequestContext } from '../execute/request-context.ts'
import { traceHeaders } from '../tracing.ts'
import type { SubgraphStreams } from './subgraph-streams.ts'

/** Events of a subscription as its caller is shown them. @throws {AppError} why there are no more */
export type AskSubgraph = (
  subscription: PlannedSubscription,
  context: RequestContext & {
    readonly signal: AbortSignal
    /** When the subgraph ends it by itself, in seconds since the epoch. */
    readonly until: number
  },
) => AsyncGenerator<ExecutionResult>

const fixedHeaders = { 'content-type': 'application/json', accept: 'text/event-stream' }

/**
 * Asks the subgraph that serves a subscription, with a context token made for exactly that request, and others for the
 * rest of each event, as for an operation: the next event is read when the last was taken.
 */
export function createAskSubgraph(options: {
  readonly graph: Graph
  readonly streamsOf: (subgraph: string) => SubgraphStreams
  readonly signer: ContextSigner
}): AskSubgraph {
  const { graph, streamsOf, signer } = options

  return async function* ask({ subgraph: to, body: text, answer }, { until, ...context }) {
    const { principal, txn, trace, record, signal } = context
    const { facts, scopes } = graph.subgraphs[to] ?? { facts: [], scopes: [] }
    const declared = { facts, scopes }
    const body = Buffer.from(text)
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
    for await (const event of streamsOf(to).open({ body, headers, signal }))
      // What a stream was allowed was written down when it began; what it goes on to ask is not kept for as long as it lasts.
      yield await answer(event, { ...context, record: new RequestRecord(txn) })
  }
}
