import type { Graph } from '@behalf/identity'
import type { SubgraphLimits } from '../execute/subgraph-client.ts'
import { type AskSubgraph, createAskSubgraph } from './ask-subgraph.ts'
import { createSubgraphStreams, type SubgraphStreams } from './subgraph-streams.ts'

/** Heartbeats of a subgraph that may be lost before it counts as gone. */
const missedHeartbeats = 3
const subgraphHeartbeatMs = 15_000

/** Subscribes at the subgraphs of one graph. */
export function createGraphStreams(
  options: {
    readonly graph: Graph
    readonly urlOf: (subgraph: string) => string
    readonly limitsOf: (subgraph: string) => Pick<SubgraphLimits, 'timeout' | 'maxBytes'>
  } & Pick<Parameters<typeof createAskSubgraph>[0], 'signer'>,
): { readonly ask: AskSubgraph; close(): Promise<void> } {
  const { graph, urlOf, limitsOf, signer } = options
  const bySubgraph = new Map<string, SubgraphStreams>()
  function streamsOf(name: string): SubgraphStreams {
    const known = bySubgraph.get(name)
    if (known) return known
    const { timeout, maxBytes } = limitsOf(name)
    const silence = missedHeartbeats * subgraphHeartbeatMs
    const streams = createSubgraphStreams(urlOf(name), { timeout, maxBytes, silence })
    bySubgraph.set(name, streams)
    return streams
  }
  return {
    ask: createAskSubgraph({ graph, streamsOf, signer }),
    close: async () => void (await Promise.all(Array.from(bySubgraph.values(), (streams) => streams.close()))),
  }
}
