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
import type { Logger } from 'pino'
import type { ReadApproved } from '../agent/read-approved.ts'
import type { TicketSealer } from '../agent/ticket.ts'
import { describeCause } from '../describe-cause.ts'
import { inSpan, traceHeaders } from '../tracing.ts'
import type { Fetch, Subgraph } from './plan/run.ts'
import type { RequestContext } from './request-context.ts'
import type { SubgraphClient } from './subgraph-client.ts'
import { requireEntities, type SubgraphError } from './subgraph-response.ts'

/** Sends a plan's fetches to one subgraph, each with a context token made for exactly that request. */
export function createSubgraphFetches(options: {
  readonly name: string
  readonly graph: Graph
  readonly client: SubgraphClient
  readonly signer: ContextSigner
  readonly tickets: Pick<TicketSealer, 'seal' | 'sealProof'>
  readonly readApproved: ReadApproved
  readonly log: Logger
}): Subgraph {
  const { name, graph, client, signer, tickets, readApproved, log } = options
  const { facts, scopes } = graph.subgraphs[name] ?? { facts: [], scopes: [] }
  const declared = { facts, scopes }

  /** Only a call that may start an agent carries the means to (`@delegates`), and one that decides the proof (`@approves`). */
  async function ticketFor({ operation, rootFields }: Fetch, body: string, { principal, txn }: RequestContext) {
    if (operation !== 'mutation') return null
    const asked = rootFields.map((field) => graph.rules[`Mutation.${field}`])
    if (asked.some((rule) => rule?.approves === name)) {
      const request = JSON.parse(body) as Parameters<ReadApproved>[0]
      return tickets.sealProof(principal, { approved: readApproved(request, name), to: name, txn })
    }
    const starts = asked.map((rule) => rule?.delegates).find((delegates) => delegates?.subgraph === name)
    return starts ? tickets.seal(principal, { agent: starts.agent, to: name, txn }) : null
  }

  return {
    prepare: (fetch) => async (text, context, entities) => {
      const { operation } = fetch
      const { principal, txn, trace, signal, record, approval } = context
      const body = Buffer.from(text)
      const isQuery = operation === 'query'
      const attributes = { 'behalf.txn': txn, 'behalf.subgraph': name, 'graphql.operation.type': operation }
      const begun = performance.now()
      let ticket: string | null = null
      const note = (outcome: 'OK' | ErrorCode, errors: readonly SubgraphError[] = []) =>
        record.hop({
          to: name,
          operation,
          ...disclose(principal, declared),
          ticket: ticket !== null,
          outcome,
          errors: [...new Set(errors.map(({ code }) => code))],
          ms: performance.now() - begun,
        })
      try {
        ticket = await ticketFor(fetch, text, context)
        const token = signer.sign(principal, {
          to: name,
          body,
          operation,
          txn,
          ...declared,
          ...(ticket !== null && { ticket }),
          // A fetch of entities after the mutation is a query, and is given none.
          ...(approval !== null && isOf(approval, fetch) && { approval }),
        })
        const response = await inSpan(`POST ${name}`, { kind: SpanKind.CLIENT, attributes }, () => {
          const headers = { ...fixedHeaders, ...traceHeaders(trace), [contextTokenHeader]: token }
          return client.send({ body, headers, isQuery, signal })
        })
        requireEntities(response, entities)
        note('OK', response.errors)
        return response
      } catch (error) {
        note(error instanceof AppError ? error.code : 'INTERNAL')
        if (error instanceof AppError)
          log.warn(
            { txn, subgraph: name, code: error.code, reason: describeCause(error.cause) },
            'subgraph request failed',
          )
        throw error
      }
    },
  }
}

const isOf = ({ field }: Approval, { operation, rootFields }: Fetch) =>
  operation === 'mutation' && rootFields.every((name) => name === field)

const fixedHeaders = { 'content-type': 'application/json', accept: 'application/json' }
