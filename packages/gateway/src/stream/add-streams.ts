import type { Graph, Revocations } from '@behalf/identity'
import type { FastifyInstance } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import type { GraphQLServer } from '../execute/graphql-server.ts'
import type { Admit } from '../http/admission.ts'
import type { FindDocument } from '../http/documents.ts'
import { createStreamLimits, type StreamLimits } from '../limits/stream-limits.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import { createAskSubgraph } from './ask-subgraph.ts'
import { createFitsOperation } from './fits-operation.ts'
import { createOpenStreams } from './open-streams.ts'
import { createRouteSubscription } from './route-subscription.ts'
import { createShapeEvent } from './shape-event.ts'
import { addStreamRoute, defaultStreamTimes, type StreamTimes } from './stream-route.ts'
import { createSubgraphStreams, type SubgraphStreams } from './subgraph-streams.ts'

/** Heartbeats of a subgraph that may be lost before it counts as gone. */
const missedHeartbeats = 3
const subgraphHeartbeatMs = 15_000

/** Serves subscriptions on `app`. Close it before the app, which waits for what is open. */
export function addStreams(
  app: FastifyInstance,
  options: {
    readonly graph: Graph
    readonly urlOf: (subgraph: string) => string
    readonly timeoutOf: (subgraph: string) => number
    readonly limits: Partial<StreamLimits & StreamTimes>
    /** Bytes of one event. */
    readonly maxEventBytes: number
    readonly admit: Admit
    readonly findDocument: FindDocument
    readonly server: GraphQLServer
    readonly guard: RevocationGuard
    readonly revocations: Revocations
    readonly audit: RequestAudit
  } & Pick<Parameters<typeof createAskSubgraph>[0], 'signer'>,
): { close(): Promise<void> } {
  const { graph, urlOf, timeoutOf, limits, maxEventBytes, guard, revocations, signer, ...route } = options
  const bySubgraph = new Map<string, SubgraphStreams>()
  function streamsOf(name: string): SubgraphStreams {
    const known = bySubgraph.get(name)
    if (known) return known
    const silence = missedHeartbeats * subgraphHeartbeatMs
    const streams = createSubgraphStreams(urlOf(name), { timeout: timeoutOf(name), maxBytes: maxEventBytes, silence })
    bySubgraph.set(name, streams)
    return streams
  }
  const open = createOpenStreams({ guard, revocations })
  addStreamRoute(app, {
    ...route,
    open,
    take: createStreamLimits(limits),
    ask: createAskSubgraph({
      graph,
      route: createRouteSubscription(graph.supergraph),
      streamsOf,
      fits: createFitsOperation(graph.supergraph),
      shapeEvent: createShapeEvent(),
      signer,
    }),
    times: { ...defaultStreamTimes, ...limits },
  })
  return {
    async close() {
      open.close()
      await Promise.all(Array.from(bySubgraph.values(), (streams) => streams.close()))
    },
  }
}
