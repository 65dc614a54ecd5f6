import {
  acceptedEpochs,
  type Audit,
  type ContextSigner,
  createWorkloadVerifier,
  type EventCounter,
  type Graph,
  requirePolicies,
  type WorkloadVerifier,
} from '@behalf/identity'
import type { Logger } from 'pino'
import type { ApproveCall } from '../agent/approve-call.ts'
import { createReadApproved } from '../agent/read-approved.ts'
import type { TicketSealer } from '../agent/ticket.ts'
import { createToolAudit, type ToolAudit } from '../audit/audit-tools.ts'
import type { HashArguments } from '../audit/hash-arguments.ts'
import type { AuthorizationOptions } from '../authorize/authorize-gateway.ts'
import { createExecuteTool, type ExecuteTool } from '../execute/execute-tool.ts'
import { type GraphQLServer, type GraphQLServerOptions, startGraphQLServer } from '../execute/graphql-server.ts'
import { createSubgraphClient, type SubgraphClient, type SubgraphLimits } from '../execute/subgraph-client.ts'
import { createSubgraphFetches } from '../execute/subgraph-fetches.ts'
import type { Registry } from '../registry.ts'
import type { AskSubgraph } from '../stream/ask-subgraph.ts'
import { createGraphStreams } from '../stream/graph-streams.ts'

/** Everything that comes of one graph. */
export interface ServedGraph {
  /** The graph's. */
  readonly hash: string
  readonly server: GraphQLServer
  /** Subscribes at subgraphs. */
  readonly ask: AskSubgraph
  readonly tools: Graph['tools']
  readonly registry: Registry
  readonly toolAudit: Pick<ToolAudit, 'refused'>
  /** Proves those on which its agents run. */
  readonly workloads: WorkloadVerifier
  /** Agents that a workload may act as, as `@delegates` says. */
  agentsOf(workload: string): readonly string[]
  /** For which its fields ask. */
  readonly scopes: readonly string[]
  /** Lets running requests end. */
  close(): Promise<void>
}

/** What lives as long as the gateway, whichever graph it serves. */
export interface GraphParts extends Omit<GraphQLServerOptions, 'supergraph' | 'subgraph' | 'authorization'> {
  readonly authorization: Omit<AuthorizationOptions, 'rules' | 'subjects' | 'log'>
  /** URLs of subgraphs by name, where they are not those of the graph. */
  readonly subgraphUrls: Readonly<Record<string, string>>
  readonly subgraphLimits: Omit<SubgraphLimits, 'timeout'>
  readonly signer: ContextSigner
  readonly tickets: TicketSealer
  readonly workloadKeys: { readonly rootKey: string; readonly epoch: number; readonly trustDomain: string }
  readonly audit: Audit
  readonly counter: EventCounter
  readonly hashArguments: HashArguments
  readonly approve: ApproveCall
  readonly registry: (parts: {
    readonly tools: Graph['tools']
    readonly execute: ExecuteTool
    readonly approve: ApproveCall
  }) => Registry
  readonly log: Logger
}

const defaultTimeoutMs = 10_000

/**
 * Makes whatever serves a graph; nothing of it is used before all of it is there.
 *
 * @throws what is wrong with the graph.
 */
export async function serveGraph(graph: Graph, parts: GraphParts): Promise<ServedGraph> {
  const { authorization, subgraphUrls, subgraphLimits, signer, tickets, audit, counter, hashArguments, log } = parts
  const { rules, subjects, tools } = graph
  const ruled = Object.values(rules)
  requirePolicies(
    'createGateway',
    ruled.flatMap(({ policies }) => policies.flat()),
    authorization.policies,
  )
  const readApproved = createReadApproved(graph)
  const toolAudit = createToolAudit({ audit, counter, graph, hashArguments })
  const limitsOf = (name: string): SubgraphLimits => ({
    ...subgraphLimits,
    timeout: graph.subgraphs[name]?.timeoutMs ?? defaultTimeoutMs,
  })
  const urls = new Map(Object.entries(subgraphUrls))

  await using made = new AsyncDisposableStack()
  const clients: SubgraphClient[] = []
  made.defer(async () => void (await Promise.all(clients.map((client) => client.close()))))
  const server = await startGraphQLServer({
    ...parts,
    supergraph: graph.supergraph,
    authorization: { ...authorization, rules, subjects },
    subgraph({ name, url: ofGraph }) {
      const url = subgraphUrls[name] ?? ofGraph
      urls.set(name, url)
      const client = createSubgraphClient(url, limitsOf(name))
      clients.push(client)
      return createSubgraphFetches({ name, graph, client, signer, tickets, readApproved, log })
    },
  })
  // Before the clients are closed.
  made.defer(() => server.stop())
  const streams = createGraphStreams({ graph, urlOf: (name) => urls.get(name) ?? '', limitsOf, signer })
  made.defer(() => streams.close())
  const execute = createExecuteTool(server, toolAudit.recordOf)
  const registry = toolAudit.audited(parts.registry({ tools, execute, approve: parts.approve }))
  const agents = agentsByWorkload(graph)
  const { rootKey, epoch, trustDomain } = parts.workloadKeys
  const workloads = createWorkloadVerifier({
    rootKey,
    epochs: acceptedEpochs(epoch),
    workloads: [...agents.keys()],
    trustDomain,
  })
  const all = made.move()

  return {
    hash: graph.hash,
    server,
    ask: streams.ask,
    tools,
    registry,
    toolAudit,
    workloads,
    agentsOf: (workload) => agents.get(workload) ?? [],
    scopes: ruled.flatMap(({ scopes }) => scopes.flat()),
    close: () => all.disposeAsync(),
  }
}

/** Which agents run where, as `@delegates` says. */
function agentsByWorkload({ rules }: Graph): ReadonlyMap<string, readonly string[]> {
  const agents = new Map<string, string[]>()
  for (const { delegates } of Object.values(rules)) {
    if (delegates !== null) agents.set(delegates.subgraph, [...(agents.get(delegates.subgraph) ?? []), delegates.agent])
  }
  return agents
}
