import { ApolloServer, type ApolloServerPlugin, HeaderMap } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import { AppError } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import type { GraphQLSchema } from 'graphql'
import { maskError } from './mask-error.ts'
import type { NoteErrors } from './note-errors.ts'
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
export function createExecutor(schema: GraphQLSchema, log: FastifyBaseLogger, noteErrors: NoteErrors): Executor {
  const server = new ApolloServer<RequestContext<unknown>>({
    schema,
    plugins: [
      noteErrorsOf(noteErrors),
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

const noteErrorsOf = (noteErrors: NoteErrors): ApolloServerPlugin<RequestContext<unknown>> => {
  const listener = {
    didEncounterErrors({ errors, contextValue }: { errors: readonly Error[]; contextValue: RequestContext<unknown> }) {
      noteErrors(errors, contextValue.identity)
      return Promise.resolve()
    },
  }
  return { requestDidStart: () => Promise.resolve(listener) }
}
