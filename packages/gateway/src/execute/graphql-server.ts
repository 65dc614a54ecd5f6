import { ApolloGateway } from '@apollo/gateway'
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server'
import {
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import { type ErrorCode, errorTable, type FieldRule } from '@behalf/identity'
import { GraphQLError, type GraphQLFormattedError, type OperationDefinitionNode, OperationTypeNode } from 'graphql'
import type { Logger } from 'pino'
import { authorizeGateway } from '../authorize/authorize-gateway.ts'
import { describeCause } from '../describe-cause.ts'
import type { RequestContext } from './request-context.ts'
import type { createSubgraphDataSource } from './subgraph-data-source.ts'

export type GraphQLServer = ApolloServer<RequestContext & Record<string, unknown>>

/** Apollo Server over the supergraph; it knows principals, and never a credential. What a caller may not see is not planned. */
export async function startGraphQLServer(options: {
  readonly supergraph: string
  readonly rules: Readonly<Record<string, FieldRule>>
  readonly dataSource: (subgraph: {
    readonly name: string
    readonly url?: string
  }) => ReturnType<typeof createSubgraphDataSource>
  readonly introspection: boolean
  readonly log: Logger
}): Promise<GraphQLServer> {
  const { supergraph, rules, dataSource, introspection, log } = options
  disableApolloTelemetry()
  const gateway = new ApolloGateway({ supergraphSdl: supergraph, buildService: dataSource, logger: log, debug: false })
  const server: GraphQLServer = new ApolloServer<RequestContext & Record<string, unknown>>({
    gateway: authorizeGateway(gateway, rules),
    introspection,
    logger: log,
    formatError: maskError,
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
      finishAnswer(log),
    ],
  })
  await server.start()
  return server
}

/** Under which a plan passes entities on: whether a client's variable of that name gets in its way depends on the plan. */
const planVariable = 'representations'

/**
 * Every answer says its `txn`, and no other extension. Where a subgraph's values did not fit the schema, the stock
 * executor reports it as an extension only; here it is an error, so that null always has its reason.
 */
const finishAnswer = (log: Logger): ApolloServerPlugin<RequestContext & Record<string, unknown>> => ({
  requestDidStart: async () => ({
    // The stock executor has no code for either.
    didResolveOperation: async ({
      operation,
      contextValue: { record },
    }: {
      readonly operation?: OperationDefinitionNode
      readonly contextValue: RequestContext
    }) => {
      if (operation === undefined) throw requestError('OPERATION_RESOLUTION_FAILURE')
      if (operation.operation === OperationTypeNode.SUBSCRIPTION)
        throw requestError('BAD_REQUEST', 'Subscriptions are not served here.')
      if (operation.variableDefinitions?.some(({ variable }) => variable.name.value === planVariable))
        throw requestError('BAD_REQUEST', `Give the variable "$${planVariable}" another name.`)
      record.resolved(operation)
    },
    didEncounterErrors: async ({ errors, contextValue: { txn } }) => {
      // What a plan's node threw comes as it is, and not as a GraphQLError.
      for (const error of errors as readonly (Error & Partial<GraphQLError>)[]) {
        if (isPublic(error.extensions?.['code'])) continue
        const err = error.originalError ?? error
        log.error({ txn, path: error.path, err, reason: describeCause(err.cause) }, 'execution failed')
      }
    },
    willSendResponse: async ({ response: { body }, contextValue }) => {
      if (body.kind !== 'single') return
      const misfits = body.singleResult.extensions?.['valueCompletion']
      if (Array.isArray(misfits))
        body.singleResult.errors = [...(body.singleResult.errors ?? []), ...misfits.map(misfitError)]
      body.singleResult.extensions = { txn: contextValue.txn }
      const { data, errors: [refusal] = [] } = body.singleResult
      if (data === undefined && refusal) contextValue.record.refusal = String(refusal.extensions?.['code'])
    },
  }),
})

const requestError = (code: ErrorCode, message: string = errorTable[code].message) =>
  new GraphQLError(message, { extensions: { code, http: { status: errorTable[code].status } } })

function misfitError({ path }: GraphQLError): GraphQLFormattedError {
  const code: ErrorCode = 'SUBGRAPH_INVALID_RESPONSE'
  return { message: errorTable[code].message, ...(path && { path }), extensions: { code } }
}

/** Errors keep their place, and their message only with a code of the table; the rest is for the log. */
function maskError(formatted: GraphQLFormattedError): GraphQLFormattedError {
  const { message, locations, path, extensions } = formatted
  const code = extensions?.['code']
  const place = { ...(locations && { locations }), ...(path && { path }) }
  if (isPublic(code)) return { message, ...place, extensions: { code } }
  return { message: errorTable.INTERNAL.message, ...place, extensions: { code: 'INTERNAL' satisfies ErrorCode } }
}

const isPublic = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && code !== 'INTERNAL' && Object.hasOwn(errorTable, code)

/** @apollo/gateway sends usage data to its maker unless this variable says no, and offers no option for it. */
function disableApolloTelemetry() {
  // oxlint-disable-next-line node/no-process-env -- written, not read
  process.env['APOLLO_TELEMETRY_DISABLED'] = 'true'
}
