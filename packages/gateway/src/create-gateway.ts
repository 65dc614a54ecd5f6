import { setTimeout } from 'node:timers/promises'
import {
  acceptedEpochs,
  createContextSigner,
  createEventCounter,
  createWorkloadVerifier,
  firstEpoch,
  type Graph,
  type Policies,
  requirePolicies,
} from '@behalf/identity'
import pino, { type Logger } from 'pino'
import { addAgentApi } from './agent/agent-api.ts'
import { type ApproveCall, createApproveCall, createOpenProof } from './agent/approve-call.ts'
import { createReadApproved } from './agent/read-approved.ts'
import { createTicketSealer } from './agent/ticket.ts'
import { createAgentAudit } from './audit/audit-agents.ts'
import { createRequestAudit } from './audit/audit-requests.ts'
import { createToolAudit } from './audit/audit-tools.ts'
import { createHashArguments } from './audit/hash-arguments.ts'
import { createAuthenticate } from './authenticate/authenticate.ts'
import { type AgentScopes, anyAgentScope } from './authenticate/agent-scopes.ts'
import { challengeOf } from './authenticate/challenge.ts'
import type { IssuerConfig } from './authenticate/issuer.ts'
import { createIssuers } from './authenticate/issuers.ts'
import { createLogoutTokenVerifier } from './authenticate/verify-logout-token.ts'
import type { AuthorizationMode } from './authorize/authorization-mode.ts'
import type { Authority } from './authority.ts'
import { createExecuteTool, type ExecuteTool } from './execute/execute-tool.ts'
import { startGraphQLServer } from './execute/graphql-server.ts'
import { createSubgraphClient, type SubgraphClient } from './execute/subgraph-client.ts'
import { createSubgraphFetches } from './execute/subgraph-fetches.ts'
import { readGraph } from './graph-file.ts'
import { createApp } from './http/create-app.ts'
import { createAdmission } from './http/admission.ts'
import { createFindDocument, type DocumentOptions } from './http/documents.ts'
import { addGraphQLRoute } from './http/graphql-route.ts'
import { addLogoutRoutes } from './http/logout-routes.ts'
import { addResourceMetadata, describeResource } from './http/resource-metadata.ts'
import { writeGraphQLError, writePlainError } from './http/write-errors.ts'
import { defaultOperationLimits, type OperationLimits } from './limits/operation-limits.ts'
import { createRateLimits, type RateLimitOptions } from './limits/rate-limits.ts'
import type { StreamLimits } from './limits/stream-limits.ts'
import { addMcp } from './mcp/add-mcp.ts'
import type { McpEndpoint } from './mcp/mcp-endpoint.ts'
import type { Registry } from './registry.ts'
import { createRevocationGuard } from './revocation/revocation-guard.ts'
import { addStreams } from './stream/add-streams.ts'
import type { StreamTimes } from './stream/stream-route.ts'

export interface GatewayOptions {
  /** Path of `graph.json`. */
  readonly graph: string
  /** URLs of subgraphs by name, where they are not those of the graph. */
  readonly subgraphs?: Readonly<Record<string, string>>
  /** `BEHALF_ROOT_KEY`: at least 32 random bytes, base64url. */
  readonly rootKey: string
  /** Epoch of the keys, counted up to rotate them. Default 1. */
  readonly epoch?: number
  /** `aud` of context tokens. Default `behalf`. */
  readonly trustDomain?: string
  readonly issuers: readonly IssuerConfig[]
  readonly authority: Authority
  /** Makes the tool registry of the graph's tools and the way to run one. */
  readonly registry: (parts: {
    readonly tools: Graph['tools']
    readonly execute: ExecuteTool
    readonly approve: ApproveCall
  }) => Registry
  /** Serves the tools at `/mcp` too, where issuers have an audience for it that is a URL. */
  readonly mcp?: McpEndpoint
  /** Whether an agent may have a scope for a user. Default: any that it was granted. */
  readonly agentScopes?: AgentScopes
  /** A function for each name that subgraphs use in `@policy`. */
  readonly policies?: Policies
  /** What becomes of an operation of which something is denied. Default `filter`. */
  readonly authorization?: { readonly mode: AuthorizationMode }
  /** Whether clients may ask for the schema. Not a control: do not hide behind it. Default true. */
  readonly introspection?: boolean
  /** Documents that clients name, and whether they may send others. Default: none are known, and any may be sent. */
  readonly documents?: DocumentOptions
  readonly limits?: Partial<GatewayLimits>
  /**
   * Addresses and networks (`10.0.0.0/8`) of proxies in front, whose `X-Forwarded-For` says where a request comes from.
   * Default: none, and a client's address is that of its connection.
   */
  readonly trustedProxies?: readonly string[]
  /**
   * Lets agents' runners tell a model server for whom it answers, with a context token for each request (`to: "model"`):
   * the user, the tenant, these facts, and no scope. Default: they cannot.
   */
  readonly model?: { readonly facts: readonly string[] } | null
  readonly log?: Logger
}

export interface GatewayLimits extends RateLimitOptions {
  /** What one operation may ask for. */
  readonly operation: Partial<OperationLimits>
  readonly streams: Partial<StreamLimits & StreamTimes>
  /** Bytes of a request. Default 256 KiB. */
  readonly bodyBytes: number
  /** Bytes of a subgraph's answer. Default 8 MiB. */
  readonly subgraphResponseBytes: number
  /** Requests to one subgraph under way or waiting; beyond, they fail at once. Default 1,000. */
  readonly subgraphPending: number
  /** Milliseconds in which `/readyz` says no before connections are refused, so that nobody is sent here. Default 0. */
  readonly drainDelay: number
}

const defaultLimits: GatewayLimits = {
  operation: {},
  streams: {},
  bodyBytes: 256 * 1024,
  subgraphResponseBytes: 8 * 1024 * 1024,
  subgraphPending: 1000,
  drainDelay: 0,
}

export interface Gateway {
  /** Serves the graph on `port` of `host` and the agent API on `internalPort` of loopback, or of `internalHost`. */
  listen(at: {
    readonly port: number
    readonly host?: string
    readonly internalPort: number
    readonly internalHost?: string
  }): Promise<{
    readonly url: string
    readonly internalUrl: string
  }>
  /** Is no longer ready, lets running requests end, then closes. */
  close(): Promise<void>
}

const loopback = '127.0.0.1'
const defaultTimeoutMs = 10_000

/**
 * The edge: verifies credentials and drops them, plans and executes, and runs tools for agents.
 *
 * @throws {TypeError} that says which option or file cannot be used; no secret is in the message.
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const {
    rootKey,
    epoch = firstEpoch,
    trustDomain = 'behalf',
    issuers,
    authority,
    policies = {},
    mcp,
    agentScopes = anyAgentScope,
    authorization: { mode } = { mode: 'filter' },
    introspection = true,
    documents = { trusted: {} },
    model = null,
    log = pino(),
  } = options
  const limits: GatewayLimits = { ...defaultLimits, ...options.limits }
  const graph = readGraph(options.graph)
  const subgraphUrls = options.subgraphs ?? {}
  const unknown = Object.keys(subgraphUrls).find((name) => !Object.hasOwn(graph.subgraphs, name))
  if (unknown !== undefined) throw new TypeError(`There is no subgraph "${unknown}" in ${options.graph}.`)
  const { rules, subjects } = graph
  requirePolicies(
    'createGateway',
    Object.values(rules).flatMap((rule) => rule.policies.flat()),
    policies,
  )
  if (mode === 'dry-run') log.warn('authorization is a dry run: only subgraphs enforce what they ask')
  const signer = createContextSigner({ rootKey, epoch, trustDomain })
  const tickets = createTicketSealer({ rootKey, epoch })
  const readApproved = createReadApproved(graph)
  const operationLimits = { ...defaultOperationLimits, ...limits.operation }
  const rates = createRateLimits({ limiter: authority.limiter, limits, maxCost: operationLimits.cost })
  const clients: SubgraphClient[] = []
  const urls = new Map<string, string>()
  const guard = createRevocationGuard(authority.revocations)
  const metadata = describeResource(
    issuers,
    'graphql',
    Object.values(rules).flatMap(({ scopes }) => scopes.flat()),
  )
  const { audit } = authority
  const counter = createEventCounter(audit)
  // Of their own, so that nobody outside can crowd out what agents were refused.
  const agentCounter = createEventCounter(audit)
  const toolAudit = createToolAudit({
    audit,
    counter: agentCounter,
    graph,
    hashArguments: createHashArguments({ rootKey, epoch }),
  })

  const server = await startGraphQLServer({
    supergraph: graph.supergraph,
    authorization: {
      rules,
      subjects,
      policies,
      mode,
      challengeOf: (refused) => challengeOf(refused, metadata?.url),
    },
    guard,
    introspection,
    operationLimits,
    rates,
    log,
    subgraph({ name, url }) {
      urls.set(name, url)
      const client = createSubgraphClient(subgraphUrls[name] ?? url, {
        timeout: graph.subgraphs[name]?.timeoutMs ?? defaultTimeoutMs,
        maxBytes: limits.subgraphResponseBytes,
        maxPending: limits.subgraphPending,
      })
      clients.push(client)
      return createSubgraphFetches({ name, graph, client, signer, tickets, readApproved, log })
    },
  })

  let draining = false
  const ready = async () => {
    if (draining) throw new Error('draining')
    // Not before: without the database, queries go on for a while, here as everywhere.
    guard.requireKnown()
  }
  const http = { log, maxBodyBytes: limits.bodyBytes, ready }
  const publicApp = createApp({
    ...http,
    trustedProxies: options.trustedProxies ?? [],
    contentTypes: ['application/json'],
    writeError: writeGraphQLError(metadata?.url),
  })
  const trusted = createIssuers(issuers)
  const authenticate = createAuthenticate({ issuers: trusted, authority, agentScopes })
  const requestAudit = createRequestAudit({ audit, counter })
  const admit = createAdmission({ authenticate, guard, rates, audit: requestAudit })
  const findDocument = createFindDocument(documents)
  addGraphQLRoute(publicApp, { admit, findDocument, server, audit: requestAudit })
  const streams = addStreams(publicApp, {
    graph,
    urlOf: (name) => subgraphUrls[name] ?? urls.get(name) ?? '',
    timeoutOf: (name) => graph.subgraphs[name]?.timeoutMs ?? defaultTimeoutMs,
    limits: limits.streams,
    maxEventBytes: limits.subgraphResponseBytes,
    signer,
    admit,
    findDocument,
    server,
    guard,
    revocations: authority.revocations,
    audit: requestAudit,
  })
  addLogoutRoutes(publicApp, {
    admit,
    verifyLogoutToken: createLogoutTokenVerifier(trusted),
    authority,
    audit: requestAudit,
  })
  if (metadata !== undefined) addResourceMetadata(publicApp, metadata)

  const openProof = createOpenProof(tickets)
  const registry = toolAudit.audited(
    options.registry({
      tools: graph.tools,
      execute: createExecuteTool(server, toolAudit.recordOf),
      approve: createApproveCall(authority.approvals, openProof),
    }),
  )
  if (mcp !== undefined)
    addMcp(publicApp, {
      admit,
      endpoint: mcp,
      requests: requestAudit,
      authority,
      guard,
      registry,
      tools: graph.tools,
      rates,
      audit: toolAudit,
      issuers,
      agentScopes,
    })

  const agents = agentsByWorkload(graph)
  const internalApp = createApp({
    ...http,
    contentTypes: ['application/json', 'application/x-www-form-urlencoded'],
    writeError: writePlainError,
  })
  addAgentApi(internalApp, {
    authority,
    guard,
    rates,
    registry,
    agentScopes,
    audit: createAgentAudit({ audit, counter: agentCounter }),
    toolAudit,
    tickets,
    openProof,
    workloads: createWorkloadVerifier({
      rootKey,
      epochs: acceptedEpochs(epoch),
      workloads: [...agents.keys()],
      trustDomain,
    }),
    model: model && { signer, facts: model.facts },
    agentsOf: (workload) => agents.get(workload) ?? [],
  })

  async function close(): Promise<void> {
    draining = true
    if (limits.drainDelay > 0) await setTimeout(limits.drainDelay)
    await streams.close()
    await mcp?.close()
    await Promise.all([publicApp.close(), internalApp.close()] satisfies Promise<unknown>[])
    counter.flush()
    agentCounter.flush()
    await server.stop()
    await Promise.all(clients.map((client) => client.close()))
  }
  let closing: Promise<void> | undefined

  return {
    async listen({ port, host = loopback, internalPort, internalHost = loopback }) {
      const internalUrl = await internalApp.listen({ port: internalPort, host: internalHost })
      const url = await publicApp.listen({ port, host })
      return { url, internalUrl }
    },
    close: () => (closing ??= close()),
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
