import {
  ApolloServer,
  type ApolloServerPlugin,
  type GraphQLRequestListener,
  HeaderMap,
  type HTTPGraphQLRequest,
} from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import { AppError, type ErrorCode, errorTable, readErrorDetails } from '@behalf/identity'
import {
  type ExecutionResult,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  OperationTypeNode,
} from 'graphql'
import type { Logger } from 'pino'
import { type AuthorizationOptions, authorizeGateway } from '../authorize/authorize-gateway.ts'
import type { AuthorizationMode } from '../authorize/authorization-mode.ts'
import { describeCause } from '../describe-cause.ts'
import { refuseStaleMutations } from '../revocation/refuse-stale-mutations.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import type { CheckOperation } from './check-operation.ts'
import { createSteps, type ServerContext } from './execute-known.ts'
import { createKnownDocuments } from './known-documents.ts'
import type { RequestContext } from './request-context.ts'
import { createPlanGateway } from './plan/plan-gateway.ts'
import type { Subgraph } from './plan/run.ts'
import { limitOperations } from '../limits/limit-operations.ts'
import { type OperationLimits, tooMuchToParse } from '../limits/operation-limits.ts'
import type { RateLimits } from '../limits/rate-limits.ts'

/** Apollo Server over one graph. */
export interface GraphQLServer {
  /** Executes an operation that was read already. */
  execute(asked: Asked, context: RequestContext): Promise<Answer>
  /** Reads a request of whatever kind as HTTP has them, and executes it if it is one. */
  executeHTTP(
    request: HTTPGraphQLRequest,
    context: RequestContext,
  ): Promise<{ readonly status: number | undefined; readonly headers: HeaderMap; readonly text: string }>
  stop(): Promise<void>
}

export interface Asked {
  readonly query: string
  readonly operationName?: string
  readonly variables?: Record<string, unknown>
}

export interface Answer {
  readonly status: number | undefined
  /** Null where there is nothing to be said of how it is sent. */
  readonly headers: HeaderMap | null
  readonly result: FormattedExecutionResult<Record<string, unknown>>
}

export interface GraphQLServerOptions {
  readonly supergraph: string
  readonly authorization: Omit<AuthorizationOptions, 'log'>
  readonly subgraph: (subgraph: { readonly name: string; readonly url: string }) => Subgraph
  readonly guard: RevocationGuard
  readonly introspection: boolean
  readonly operationLimits: OperationLimits
  readonly rates: Pick<RateLimits, 'cost'>
  readonly log: Logger
}

/**
 * Apollo Server over the supergraph; it knows principals, and never a credential. What a caller may not see is not planned.
 *
 * @throws what is wrong with the supergraph.
 */
export async function startGraphQLServer(options: GraphQLServerOptions): Promise<GraphQLServer> {
  const { supergraph, authorization, subgraph, guard, introspection, operationLimits, rates, log } = options
  const { mode } = authorization
  const gateway = createPlanGateway({ supergraph, subgraph })
  const known = createKnownDocuments({ maxTokens: operationLimits.tokens })
  const steps = createSteps(authorizeGateway(gateway, { ...authorization, log }), [
    requireServed,
    refuseStaleMutations(guard),
    limitOperations({ limits: operationLimits, rates }),
  ])
  const server = new ApolloServer<ServerContext & Record<string, unknown>>({
    gateway: steps.gateway,
    introspection,
    logger: log,
    formatError: maskError,
    includeStacktraceInErrorResponses: false,
    hideSchemaDetailsFromClientErrors: !introspection,
    // CSRF is a matter of cookies; the only credential here is a bearer token.
    csrfPrevention: false,
    // Of clients, that sent them before; by a hash of what was sent, so that nobody can put another text in its place.
    persistedQueries: { ttl: null, cache: known.texts },
    parseOptions: { maxTokens: operationLimits.tokens },
    documentStore: known.documentStore,
    stopOnTerminationSignals: false,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      known.plugin,
      listenOnce({ log, mode, check: steps.check }),
    ],
  })
  await server.start()

  /** What it does not know yet, and whatever has errors: those it shapes, masks and tells of. */
  async function answerByApollo({ query, operationName, variables }: Asked, context: ServerContext): Promise<Answer> {
    using held = known.hold(query)
    const { http, body } = await server.executeOperation(
      {
        ...(operationName !== undefined && { operationName }),
        ...(variables && { variables }),
        extensions: { persistedQuery: { version: 1, sha256Hash: held.hash } },
        http: nothingAccepted,
      },
      // Of which it makes a copy.
      { contextValue: context as ServerContext & Record<string, unknown> },
    )
    if (body.kind !== 'single') throw notAtOnce()
    return { status: http.status, headers: http.headers, result: body.singleResult }
  }

  return {
    async execute(asked, context) {
      const { query, operationName, variables = {} } = asked
      const found = known.find(query, operationName)
      if (found === null) return answerByApollo(asked, context)
      const outcome = await steps.executeKnown(found, variables, context)
      const { data, errors, extensions } = 'result' in outcome ? outcome.result : refused
      if (data === undefined || errors !== undefined) return answerByApollo(asked, { ...context, outcome })
      return { status: undefined, headers: null, result: { data, extensions: told(extensions, mode, context) } }
    },
    async executeHTTP(httpGraphQLRequest, context) {
      const { status, headers, body } = await server.executeHTTPGraphQLRequest({
        httpGraphQLRequest,
        context: async () => ({ ...context }),
      })
      if (body.kind !== 'complete') throw notAtOnce()
      return { status, headers, text: body.string }
    },
    stop: () => server.stop(),
  }
}

/** Of a request that was read: what it accepts, which costs more to read than it is to execute much else, is done with. */
const nothingAccepted = { method: 'POST', headers: new HeaderMap([['accept', '']]), search: '', body: null }

const refused: ExecutionResult = {}

const notAtOnce = () => new AppError('INTERNAL', undefined, { cause: 'incremental delivery was not asked for' })

/** One plugin, for at each step of a request Apollo Server waits for each of them. */
function listenOnce({
  log,
  mode,
  check,
}: {
  readonly log: Logger
  readonly mode: AuthorizationMode
  readonly check: CheckOperation
}): ApolloServerPlugin<ServerContext & Record<string, unknown>> {
  const listener: GraphQLRequestListener<ServerContext & Record<string, unknown>> = {
    didResolveOperation: async ({ schema, document, operation, request: { variables = {} }, contextValue }) => {
      // Apollo Server has no code for that.
      if (operation === undefined) throw requestError('OPERATION_RESOLUTION_FAILURE')
      await check({ schema, document, operation, variables, contextValue })
    },
    didEncounterErrors: async ({ errors, contextValue: { txn } }) => {
      for (const error of errors) {
        if (isPublic(error.extensions['code'])) continue
        const err = error.originalError ?? error
        log.error({ txn, path: error.path, err, reason: describeCause(err.cause) }, 'execution failed')
      }
    },
    willSendResponse: async ({ response: { body }, contextValue }) => {
      if (body.kind !== 'single') return
      body.singleResult.extensions = told(body.singleResult.extensions, mode, contextValue)
      const { data, errors: [refusal] = [] } = body.singleResult
      if (data === undefined && refusal) contextValue.record.refusal = String(refusal.extensions?.['code'])
    },
  }
  const listening = Promise.resolve(listener)
  return { requestDidStart: () => listening }
}

/** Extensions of an answer: its `txn`, what a dry run would have denied, and no other. */
function told(
  extensions: Readonly<Record<string, unknown>> | undefined,
  mode: AuthorizationMode,
  { txn }: Pick<RequestContext, 'txn'>,
): Record<string, unknown> {
  const report = mode === 'dry-run' ? extensions?.['authorization'] : undefined
  return report === undefined ? { txn } : { txn, authorization: report }
}

/** Subscriptions are streams, and nothing else is. */
const requireServed: CheckOperation = ({ operation, contextValue: { record, subscribe } }) => {
  const isSubscription = operation.operation === OperationTypeNode.SUBSCRIPTION
  if (isSubscription && !subscribe)
    throw requestError('BAD_REQUEST', 'Subscriptions are served as streams, by another path.')
  if (!isSubscription && subscribe) throw requestError('BAD_REQUEST', 'Only subscriptions are served as streams.')
  record.resolved(operation)
}

const requestError = (code: ErrorCode, message: string = errorTable[code].message) =>
  new GraphQLError(message, { extensions: { code, http: { status: errorTable[code].status } } })

/** Errors keep their place, and message and details only with a code of the table; the rest is for the log. */
function maskError(formatted: GraphQLFormattedError): GraphQLFormattedError {
  const { message, locations, path, extensions } = formatted
  const code = extensions?.['code']
  const place = { ...(locations && { locations }), ...(path && { path }) }
  const tooMuch = code === 'GRAPHQL_PARSE_FAILED' ? tooMuchToParse(message) : null
  if (tooMuch !== null) return { message: tooMuch, extensions: { code: 'OPERATION_TOO_COMPLEX' satisfies ErrorCode } }
  if (isPublic(code)) return { message, ...place, extensions: { code, ...readErrorDetails(extensions) } }
  return { message: errorTable.INTERNAL.message, ...place, extensions: { code: 'INTERNAL' satisfies ErrorCode } }
}

const isPublic = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && code !== 'INTERNAL' && Object.hasOwn(errorTable, code)
