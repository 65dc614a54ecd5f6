import { ApolloServer, type ApolloServerPlugin, HeaderMap } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import { unwrapResolverError } from '@apollo/server/errors'
import { AppError, type Audit, RefusalError } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import type { GraphQLSchema } from 'graphql'
import { denied } from './audit-events.ts'
import { maskError } from './mask-error.ts'
import type { GraphQLRequest } from './read-request.ts'
import type { RequestContext } from './request-context.ts'

/** An answer, as it is sent: `body` is JSON. */
export interface Answer {
  readonly status: number
  readonly body: string
}

export interface Executor {
  start(): Promise<void>
  execute(request: GraphQLRequest, context: RequestContext<unknown>): Promise<Answer>
  stop(): Promise<void>
}

/**
 * Executes operations by Apollo Server. What it could be told by the environment (reporting to Apollo, development
 * mode) is told here.
 */
export function createExecutor(schema: GraphQLSchema, log: FastifyBaseLogger, audit: Audit | null): Executor {
  const server = new ApolloServer<RequestContext<unknown>>({
    schema,
    plugins: [
      logErrors(log, audit),
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
    ],
    nodeEnv: 'production',
    // Whoever gets this far holds a context token; hiding the schema from the gateway would protect nothing.
    introspection: true,
    // Cross-site requests ride on cookies, of which there are none here.
    csrfPrevention: false,
    persistedQueries: false,
    allowBatchedHttpRequests: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    formatError: maskError,
    logger: log,
  })
  const headers = new HeaderMap([['content-type', 'application/json']])

  return {
    start: () => server.start(),
    async execute(request, context) {
      const { status = 200, body } = await server.executeHTTPGraphQLRequest({
        httpGraphQLRequest: { method: 'POST', search: '', headers, body: request },
        context: () => Promise.resolve(context),
      })
      if (body.kind !== 'complete') throw new AppError('BAD_REQUEST', '@defer and @stream are not served here.')
      return { status, body: body.string }
    },
    stop: () => server.stop(),
  }
}

/** The log has what {@link maskError} withholds, and the audit trail what was denied once more. */
function logErrors(log: FastifyBaseLogger, audit: Audit | null): ApolloServerPlugin<RequestContext<unknown>> {
  const listener = {
    didEncounterErrors({ errors, contextValue }: { errors: readonly Error[]; contextValue: RequestContext<unknown> }) {
      const { identity } = contextValue
      const { txn } = identity
      const recorded = new Set<string>()
      for (const thrown of errors) {
        const error = unwrapResolverError(thrown)
        const path = 'path' in thrown ? thrown.path : undefined
        if (error instanceof AppError && error.code !== 'INTERNAL') {
          log.info({ txn, code: error.code, path, reason: reasonOf(error) }, 'field refused')
          if (error instanceof RefusalError && isFirst(recorded, `${error.coordinate} ${error.rule}`))
            audit?.record(denied(identity, error))
        } else if (path === undefined) log.info({ txn, ...refusalOf(thrown) }, 'operation refused')
        else log.error({ txn, path, err: error }, 'resolver failed')
      }
      return Promise.resolve()
    },
  }
  return { requestDidStart: () => Promise.resolve(listener) }
}

/** A list may be refused for each of its objects. */
const isFirst = (seen: Set<string>, key: string) => !seen.has(key) && seen.add(key).has(key)

/** Why GraphQL refuses a request. Where variables are at fault the message holds their values, which are the user's. */
function refusalOf({ message, extensions }: Error & { extensions?: { code?: unknown } }): object {
  const code = extensions?.code
  return code === 'BAD_USER_INPUT' ? { code } : { code, reason: message }
}

/** Why, in one line: causes are texts or errors. */
export function reasonOf({ cause }: AppError): string | undefined {
  if (cause instanceof Error) return cause.message
  return typeof cause === 'string' ? cause : undefined
}
