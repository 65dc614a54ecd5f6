import type { GraphQLDataSource } from '@apollo/gateway'
import {
  AppError,
  type Approval,
  contextTokenHeader,
  type ContextSigner,
  disclose,
  type ErrorCode,
  type Graph,
} from '@behalf/identity'
import { SpanKind } from '@opentelemetry/api'
import type { GraphQLFormattedError } from 'graphql'
import type { Logger } from 'pino'
import type { ReadApproved } from '../agent/read-approved.ts'
import type { TicketSealer } from '../agent/ticket.ts'
import { describeCause } from '../describe-cause.ts'
import { inSpan, traceHeaders } from '../tracing.ts'
import type { OperationShape } from './operation-shape.ts'
import type { RequestContext } from './request-context.ts'
import type { SubgraphClient } from './subgraph-client.ts'
import type { SubgraphError } from './subgraph-response.ts'

/** Sends a plan's fetches to one subgraph, each with a context token made for exactly that request. */
export function createSubgraphDataSource(options: {
  readonly name: string
  readonly graph: Graph
  readonly client: SubgraphClient
  readonly shapeOf: (fetch: string) => OperationShape
  readonly signer: ContextSigner
  readonly tickets: Pick<TicketSealer, 'seal' | 'sealProof'>
  readonly readApproved: ReadApproved
  readonly log: Logger
}): GraphQLDataSource<RequestContext & Record<string, unknown>> {
  const { name, graph, client, shapeOf, signer, tickets, readApproved, log } = options
  const { facts, scopes } = graph.subgraphs[name] ?? { facts: [], scopes: [] }
  const declared = { facts, scopes }

  /** Only a call that may start an agent carries the means to (`@delegates`), and one that decides the proof (`@approves`). */
  async function ticketFor(
    { type, rootFields }: OperationShape,
    { principal, txn }: RequestContext,
    request: Parameters<ReadApproved>[0],
  ) {
    if (type !== 'mutation') return null
    const asked = rootFields.map((field) => graph.rules[`Mutation.${field}`])
    if (asked.some((rule) => rule?.approves === name))
      return tickets.sealProof(principal, { approved: readApproved(request, name), to: name, txn })
    const starts = asked.map((rule) => rule?.delegates).find((delegates) => delegates?.subgraph === name)
    return starts ? tickets.seal(principal, { agent: starts.agent, to: name, txn }) : null
  }

  return {
    async process(fetch) {
      if (!('incomingRequestContext' in fetch)) {
        throw new TypeError(`The gateway asks subgraphs nothing on its own behalf, not for ${fetch.kind}.`)
      }
      const { query = '', operationName, variables } = fetch.request
      const { context } = fetch
      const { principal, txn, trace, signal, record, approval } = context
      const shape = shapeOf(query)
      const body = Buffer.from(JSON.stringify({ query, operationName, variables }))
      let ticket: string | null = null
      async function makeToken() {
        ticket = await ticketFor(shape, context, { query, variables: variables ?? {} })
        return signer.sign(principal, {
          to: name,
          body,
          operation: shape.type,
          txn,
          ...declared,
          ...(ticket !== null && { ticket }),
          // A fetch of entities after the mutation is a query, and is given none.
          ...(approval !== null && isOf(approval, shape) && { approval }),
        })
      }
      const isQuery = shape.type === 'query'
      const attributes = { 'behalf.txn': txn, 'behalf.subgraph': name, 'graphql.operation.type': shape.type }
      const send = (token: string) =>
        inSpan(`POST ${name}`, { kind: SpanKind.CLIENT, attributes }, () => {
          const headers = { ...fixedHeaders, ...traceHeaders(trace), [contextTokenHeader]: token }
          return client.send({ body, headers, isQuery, signal })
        })
      const entities = countOf(variables?.['representations'])
      const begun = performance.now()
      const note = (outcome: 'OK' | ErrorCode, errors: readonly SubgraphError[] = []) =>
        record.hop({
          to: name,
          operation: shape.type,
          ...disclose(principal, declared),
          ticket: ticket !== null,
          outcome,
          errors: [...new Set(errors.map(({ code }) => code))],
          ms: performance.now() - begun,
        })
      try {
        const { data, errors } = await send(await makeToken())
        if (entities !== null && data !== null && countOf(data['_entities']) !== entities) {
          throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause: `not ${entities} entities` })
        }
        if (!shape.fits(data))
          throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, {
            cause: 'values do not have the shape of the operation',
          })
        note('OK', errors)
        return { data, ...(errors.length > 0 && { errors: errors.map(formatError) }) }
      } catch (error) {
        note(error instanceof AppError ? error.code : 'INTERNAL')
        if (!(error instanceof AppError)) throw error
        log.warn(
          { txn, subgraph: name, code: error.code, reason: describeCause(error.cause) },
          'subgraph request failed',
        )
        const { message, code, details } = error
        const errors = failedPaths(shape, entities).map((path) => formatError({ message, code, details, path }))
        return { data: null, errors }
      }
    },
  }
}

const isOf = ({ field }: Approval, { type, rootFields }: OperationShape) =>
  type === 'mutation' && rootFields.every((name) => name === field)

const fixedHeaders = { 'content-type': 'application/json', accept: 'application/json' }

const countOf = (list: unknown) => (Array.isArray(list) ? list.length : null)

/** Everything that a failed request was to answer, so that a client can tell failed from empty; at most 100 places. */
const failedPaths = ({ keys }: OperationShape, entities: number | null): (readonly (string | number)[])[] =>
  entities === null
    ? keys.map((key) => [key])
    : Array.from({ length: Math.min(entities, 100) }, (_, index) => keys.map((key) => ['_entities', index, key]))
        .flat()
        .slice(0, 100)

const formatError = ({ message, path, code, details }: SubgraphError): GraphQLFormattedError => ({
  message,
  ...(path && { path }),
  extensions: { code, ...details },
})
