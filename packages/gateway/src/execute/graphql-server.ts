import { ApolloGateway } from '@apollo/gateway'
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server'
import {
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import { type ErrorCode, errorTable } from '@behalf/identity'
import { GraphQLError, type GraphQLFormattedError, type OperationDefinitionNode, OperationTypeNode } from 'graphql'
import type { Logger } from 'pino'
import type { RequestContext } from './request-context.ts'
import type { createSubgraphDataSource } from './subgraph-data-source.ts'

export type GraphQLServer = ApolloServer<RequestContext & Record<string, unknown>>

/** Apollo Server over the supergraph; it knows principals, and never a credential. */
export async function startGraphQLServer(options: {
  readonly supergraph: string
  readonly dataSource: (subgraph: { readonly name: string; readonly url?: string }) => ReturnType<typeof createSubgraphDataSource>
  readonly introspection: boolean
  readonly log: Logger
}): Promise<GraphQLServer> {
  const { supergraph, dataSource, introspection, log } = options
  disableApolloTelemetry()
  const gateway = new ApolloGateway({ supergraphSdl: supergraph, buildService: dataSource, logger: log, debug: false })
  const server: GraphQLServer = new ApolloServer<RequestContext & Record<string, unknown>>({
    gateway,
    introspection,
    logger: log,
    formatError: (formatted, error) => maskError(formatted, error, log),
    includeStacktraceInErrorResponses: false,
    hideSchemaDetailsFromClientErrors: !introspection,
    // CSRF is a matter of cookies; the only credential here is a bearer token.
    csrfPrevention: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    plugins: [
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      finishAnswer,
    ],
  })
  await server.start()
  return server
}

/**
 * Every answer says its `txn`, and no other extension. Where a subgraph's values did not fit the schema, the stock
 * executor reports it as an extension only; here it is an error, so that null always has its reason.
 */
const finishAnswer: ApolloServerPlugin<RequestContext & Record<string, unknown>> = {
  requestDidStart: async () => ({
    // The stock executor has no code for either.
    didResolveOperation: async ({ operation }: { readonly operation?: OperationDefinitionNode }) => {
      if (operation === undefined) throw requestError('OPERATION_RESOLUTION_FAILURE')
      if (operation.operation === OperationTypeNode.SUBSCRIPTION) throw requestError('BAD_REQUEST', 'Subscriptions are not served here.')
    },
    willSendResponse: async ({ response: { body }, contextValue }) => {
      if (body.kind !== 'single') return
      const misfits = body.singleResult.extensions?.['valueCompletion']
      if (Array.isArray(misfits)) body.singleResult.errors = [...(body.singleResult.errors ?? []), ...misfits.map(misfitError)]
      body.singleResult.extensions = { txn: contextValue.txn }
    },
  }),
}

const requestError = (code: ErrorCode, message: string = errorTable[code].message) =>
  new GraphQLError(message, { extensions: { code, http: { status: errorTable[code].status } } })

function misfitError({ path }: GraphQLError): GraphQLFormattedError {
  const code: ErrorCode = 'SUBGRAPH_INVALID_RESPONSE'
  return { message: errorTable[code].message, ...(path && { path }), extensions: { code } }
}

function maskError(formatted: GraphQLFormattedError, error: unknown, log: Logger): GraphQLFormattedError {
  const { locations, path, extensions } = formatted
  const code = extensions?.['code']
  const position = { ...(locations && { locations }), ...(path && { path }) }
  if (typeof code === 'string' && Object.hasOwn(errorTable, code) && code !== 'INTERNAL') {
    return { message: formatted.message, ...position, extensions: { code } }
  }
  log.error({ err: error }, 'masked error')
  return { message: errorTable.INTERNAL.message, ...position, extensions: { code: 'INTERNAL' satisfies ErrorCode } }
}

/** @apollo/gateway sends usage data to its maker unless this variable says no, and offers no option for it. */
function disableApolloTelemetry() {
  // oxlint-disable-next-line node/no-process-env -- written, not read
  process.env['APOLLO_TELEMETRY_DISABLED'] = 'true'
}
