import { type ContextSigner, contextTokenHeader, disclose, type Graph } from '@behalf/identity'
import type { PlannedSubscription } from '../execute/plan/planned-subscription.ts'
import type { RequestContext } from '../execute/request-context.ts'
import { traceHeaders } from '../tracing.ts'
import type { SubgraphListener, SubgraphStream, SubgraphStreams } from './subgraph-streams.ts'

/** Has a subgraph tell its events to `listener`, as long as it is not left. */
export type AskSubgraph = (
  subscription: Pick<PlannedSubscription, 'subgraph' | 'body'>,
  context: Pick<RequestContext, 'principal' | 'txn' | 'trace' | 'record'> & {
    /** When the subgraph ends it by itself, in seconds since the epoch. */
    readonly until: number
  },
  listener: SubgraphListener,
) => SubgraphStream

const fixedHeaders = { 'content-type': 'application/json', accept: 'text/event-stream' }

/** Asks the subgraph that serves a subscription, with a context token made for exactly that request. */
export function createAskSubgraph(options: {
  readonly graph: Graph
  readonly streamsOf: (subgraph: string) => SubgraphStreams
  readonly signer: ContextSigner
}): AskSubgraph {
  const { graph, streamsOf, signer } = options

  return ({ subgraph: to, body: text }, { principal, txn, trace, record, until }, listener) => {
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
    return streamsOf(to).open({ body, headers }, listener)
  }
}
