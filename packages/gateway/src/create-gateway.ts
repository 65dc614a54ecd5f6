import { setTimeout } from 'node:timers/promises'
import { createContextSigner, createEventCounter, firstEpoch, type Graph, type Policies } from '@behalf/identity'
import pino, { type Logger } from 'pino'
import { addAgentApi } from './agent/agent-api.ts'
import { createApproveCall, createOpenProof } from './agent/approve-call.ts'
import { createTicketSealer } from './agent/ticket.ts'
import { createAgentAudit } from './audit/audit-agents.ts'
import { createRequestAudit } from './audit/audit-requests.ts'
import { createHashArguments } from './audit/hash-arguments.ts'
import { createAuthenticate } from './authenticate/authenticate.ts'
import { type AgentScopes, anyAgentScope } from './authenticate/agent-scopes.ts'
import { challengeOf } from './authenticate/challenge.ts'
import type { IssuerConfig } from './authenticate/issuer.ts'
import { createIssuers } from './authenticate/issuers.ts'
import { createLogoutTokenVerifier } from './authenticate/verify-logout-token.ts'
import type { AuthorizationMode } from './authorize/authorization-mode.ts'
import type { Authority } from './authority.ts'
import { followGraph, type GraphStatus } from './graph/follow-graph.ts'
import { openGraphSource } from './graph/open-graph-source.ts'
import type { RemoteGraph } from './graph/remote-graph.ts'
import { type GraphParts, serveGraph } from './graph/serve-graph.ts'
import { type BatchOptions, createAnswerBatch } from './http/answer-batch.ts'
import { createApp } from './http/create-app.ts'
import { compressAnswers } from './http/compress-answers.ts'
import { createAdmission } from './http/admission.ts'
import { createDirectPosts } from './http/direct-posts.ts'
import { createFindDocument, type DocumentOptions } from './http/documents.ts'
import { createGraphQLAnswers } from './http/graphql-answers.ts'
import { addGraphQLRoute } from './http/graphql-route.ts'
import { createLoad } from './http/load.ts'
import { addLogoutRoutes } from './http/logout-routes.ts'
import { addResourceMetadata, describeResource } from './http/resource-metadata.ts'
import { shedLoad } from './http/shed-load.ts'
import { writeGraphQLError, writePlainError } from './http/write-errors.ts'
import { defaultOperationLimits, type OperationLimits } from './limits/operation-limits.ts'
import { createRateLimits, type RateLimitOptions } from './limits/rate-limits.ts'
import type { StreamLimits } from './limits/stream-limits.ts'
import { serveMcp } from './mcp/serve-mcp.ts'
import type { McpEndpoint } from './mcp/mcp-endpoint.ts'
import { measureLimits, measureRefusals } from './measure/measure-refusals.ts'
import { observeGateway } from './measure/observe-gateway.ts'
import { createRevocationGuard } from './revocation/revocation-guard.ts'
import { addStreams } from './stream/add-streams.ts'
import type { StreamTimes } from './stream/stream-route.ts'

export interface GatewayOptions {
  /** Path of `graph.json`, a URL where it is served, or the graph itself. */
  readonly graph: string | RemoteGraph | Graph
  /** Whether another graph is served once there is one in the file, or at the URL. Default true. */
  readonly watchGraph?: boolean
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
  readonly registry: GraphParts['registry']
  /** Serves the tools at `/mcp` too, where issuers have an audience for it that is a URL. */
  readonly mcp?: McpEndpoint
  /**
   * A page of an interactive client where users decide what agents ask, the approval's id in its query as `approval`. Clients of
   * MCP that can send their user to a page do. Default: none; users are told to go to the gateway's own origin.
   */
  readonly approvalsUrl?: string | undefined
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
  /** Whether a request may have several operations, as a JSON array, and how many. Default: one, and no array. */
  readonly batching?: BatchOptions | null
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
  /** Requests of clients under way; beyond, they are refused at once. Streams are not counted here. Default 1,000. */
  readonly concurrentRequests: number
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
  concurrentRequests: 1000,
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
  /**
   * Serves what is in the graph's file or at its URL now, dropping nothing: whatever began before ends with the graph before, but for
   * streams that would not be allowed any more. A graph that cannot be served leaves the one before, and is the `problem`.
   * Resolves when whoever comes is served by the new one.
   */
  reload(): Promise<GraphStatus>
  /** Is no longer ready, lets running requests end, then closes. */
  close(): Promise<void>
}

const loopback = '127.0.0.1'

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
    batching = null,
    model = null,
    watchGraph = true,
    log = pino(),
  } = options
  const limits: GatewayLimits = { ...defaultLimits, ...options.limits }
  const trusted = createIssuers(issuers)
  if (mode === 'dry-run') log.warn('authorization is a dry run: only subgraphs enforce what they ask')
  const signer = createContextSigner({ rootKey, epoch, trustDomain })
  const tickets = createTicketSealer({ rootKey, epoch })
  const openProof = createOpenProof(tickets)
  const operationLimits = { ...defaultOperationLimits, ...limits.operation }
  const rates = createRateLimits({ limiter: measureLimits(authority.limiter), limits, maxCost: operationLimits.cost })
  const guard = createRevocationGuard(authority.revocations)
  const { audit } = authority
  const counter = createEventCounter(audit)
  // Of their own, so that nobody outside can crowd out what agents were refused.
  const agentCounter = createEventCounter(audit)
  const metadataUrl = describeResource(issuers, 'graphql', [])?.url

  const parts: GraphParts = {
    authorization: { policies, mode, challengeOf: (refused) => challengeOf(refused, metadataUrl) },
    guard,
    introspection,
    operationLimits,
    rates,
    log,
    subgraphUrls: options.subgraphs ?? {},
    subgraphLimits: { maxBytes: limits.subgraphResponseBytes, maxPending: limits.subgraphPending },
    signer,
    tickets,
    workloadKeys: { rootKey, epoch, trustDomain },
    audit,
    counter: agentCounter,
    hashArguments: createHashArguments({ rootKey, epoch }),
    approve: createApproveCall(authority.approvals, openProof),
    registry: options.registry,
  }
  let isFirst = true
  const source = openGraphSource(options.graph)
  const followed = await followGraph({
    source,
    isWatched: watchGraph,
    async serve(graph) {
      const unknown = Object.keys(parts.subgraphUrls).find((name) => !Object.hasOwn(graph.subgraphs, name))
      if (unknown !== undefined) {
        const message = `There is no subgraph "${unknown}" in ${source.name}.`
        // A graph may lose a subgraph while the gateway runs; one that never had it means a slip of the pen.
        if (isFirst) throw new TypeError(message)
        log.warn(message)
      }
      const served = await serveGraph(graph, parts)
      isFirst = false
      return served
    },
    log,
  })
  const { graphs } = followed

  let draining = false
  const ready = async () => {
    if (draining) throw new Error('draining')
    // Not before: without the database, queries go on for a while, here as everywhere.
    guard.requireKnown()
  }
  const http = { log, maxBodyBytes: limits.bodyBytes, ready }
  const writeError = writeGraphQLError(metadataUrl)
  const authenticate = createAuthenticate({ issuers: trusted, authority, agentScopes })
  const requestAudit = measureRefusals(createRequestAudit({ audit, counter }))
  const admit = createAdmission({ authenticate, guard, rates, audit: requestAudit })
  const findDocument = createFindDocument(documents)
  const answerBatch = batching && createAnswerBatch({ batching, guard, rates, audit: requestAudit, writeError, log })
  const answerGraphQL = createGraphQLAnswers({ admit, findDocument, graphs, audit: requestAudit, answerBatch })
  const servedMcp =
    mcp === undefined
      ? null
      : serveMcp({
          admit,
          graphs,
          endpoint: mcp,
          requests: requestAudit,
          authority,
          guard,
          rates,
          issuers,
          agentScopes,
          rounds: tickets,
          approvalsUrl: options.approvalsUrl,
        })
  const load = createLoad({ most: limits.concurrentRequests, log })
  const edge = { ...http, trustedProxies: options.trustedProxies ?? [], writeError, load }
  const publicApp = createApp({
    ...edge,
    contentTypes: ['application/json'],
    takeDirectly: createDirectPosts({ '/graphql': { answer: answerGraphQL, writeError }, ...servedMcp?.posts }, edge),
  })
  shedLoad(publicApp, edge)
  compressAnswers(publicApp)
  addGraphQLRoute(publicApp, answerGraphQL)
  const streams = addStreams(publicApp, {
    graphs,
    limits: limits.streams,
    admit,
    findDocument,
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
  addResourceMetadata(publicApp, () => describeResource(issuers, 'graphql', graphs.current.scopes))
  servedMcp?.addTo(publicApp)

  const internalApp = createApp({
    ...http,
    // Of files and schemas there is nothing to be seen from outside.
    details: () => ({ graph: followed.status }),
    contentTypes: ['application/json', 'application/x-www-form-urlencoded'],
    writeError: writePlainError,
  })
  addAgentApi(internalApp, {
    authority,
    guard,
    rates,
    graphs,
    agentScopes,
    audit: createAgentAudit({ audit, counter: agentCounter }),
    tickets,
    openProof,
    model: model && { signer, facts: model.facts },
  })

  const unobserve = observeGateway({
    graph: () => followed.status,
    openStreams: () => streams.count,
    revocationsAge: () => authority.revocations.age(),
  })

  async function close(): Promise<void> {
    draining = true
    if (limits.drainDelay > 0) await setTimeout(limits.drainDelay)
    streams.close()
    await mcp?.close()
    await Promise.all([publicApp.close(), internalApp.close()] satisfies Promise<unknown>[])
    counter.flush()
    agentCounter.flush()
    await followed.close()
    unobserve()
  }
  let closing: Promise<void> | undefined

  return {
    async listen({ port, host = loopback, internalPort, internalHost = loopback }) {
      const internalUrl = await internalApp.listen({ port: internalPort, host: internalHost })
      const url = await publicApp.listen({ port, host })
      return { url, internalUrl }
    },
    reload: () => followed.reload(),
    close: () => (closing ??= close()),
  }
}
