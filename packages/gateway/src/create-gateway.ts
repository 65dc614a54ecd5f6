import { setTimeout } from 'node:timers/promises'
import { createContextSigner, createEventCounter, firstEpoch } from '@behalf/identity'
import pino from 'pino'
import { addAgentApi } from './agent/agent-api.ts'
import { createApproveCall, createOpenProof } from './agent/approve-call.ts'
import { createTicketSealer } from './agent/ticket.ts'
import { createAgentAudit } from './audit/audit-agents.ts'
import { createRequestAudit } from './audit/audit-requests.ts'
import { createHashArguments } from './audit/hash-arguments.ts'
import { createAuthenticate } from './authenticate/authenticate.ts'
import { anyAgentScope } from './authenticate/agent-scopes.ts'
import { challengeOf } from './authenticate/challenge.ts'
import { createIssuers } from './authenticate/issuers.ts'
import { createLogoutTokenVerifier } from './authenticate/verify-logout-token.ts'
import { type GatewayLimits, type GatewayOptions, defaultLimits } from './gateway-options.ts'
import { followGraph, type GraphStatus } from './graph/follow-graph.ts'
import { openGraphSource } from './graph/open-graph-source.ts'
import { type GraphParts, serveGraph } from './graph/serve-graph.ts'
import { createAnswerBatch } from './http/answer-batch.ts'
import { createApp } from './http/create-app.ts'
import { compressAnswers } from './http/compress-answers.ts'
import { createAdmission } from './http/admission.ts'
import { createDirectPosts } from './http/direct-posts.ts'
import { createFindDocument } from './http/documents.ts'
import { createGraphQLAnswers } from './http/graphql-answers.ts'
import { addGraphQLRoute } from './http/graphql-route.ts'
import { createLoad } from './http/load.ts'
import { addLogoutRoutes } from './http/logout-routes.ts'
import { addResourceMetadata, describeResource } from './http/resource-metadata.ts'
import { shedLoad } from './http/shed-load.ts'
import { writeGraphQLError, writePlainError } from './http/write-errors.ts'
import { defaultOperationLimits } from './limits/operation-limits.ts'
import { createRateLimits } from './limits/rate-limits.ts'
import { serveMcp } from './mcp/serve-mcp.ts'
import { measureLimits, measureRefusals } from './measure/measure-refusals.ts'
import { observeGateway } from './measure/observe-gateway.ts'
import { createOwnChanges } from './revocation/own-changes.ts'
import { createRevocationGuard } from './revocation/revocation-guard.ts'
import { addStreams } from './stream/add-streams.ts'

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
  const changes = createOwnChanges()
  const requestAudit = changes.noting(measureRefusals(createRequestAudit({ audit, counter })))
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
          changes,
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
    authority: changes.revoking(authority),
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
