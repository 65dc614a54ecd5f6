import {
  AppError,
  type Approval,
  contextTokenHeader,
  type ContextSigner,
  disclose,
  type ErrorCode,
  type Graph,
  outsideCall,
  type Principal,
} from '@behalf/identity'
import { SpanKind } from '@opentelemetry/api'
import type { Logger } from 'pino'
import type { ReadApproved } from '../agent/read-approved.ts'
import type { TicketSealer } from '../agent/ticket.ts'
import { describeCause } from '../describe-cause.ts'
import { createSubgraphMeter } from '../measure/measure-subgraphs.ts'
import { inSpan, traceHeaders } from '../tracing.ts'
import { acceptedEncodings } from './decode-body.ts'
import type { Fetch, SendFetch, Subgraph } from './plan/run.ts'
import type { RequestContext, TraceContext } from './request-context.ts'
import type { SubgraphClient } from './subgraph-client.ts'
import { requireEntities } from './subgraph-response.ts'

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
  const measure = createSubgraphMeter(name)

  /**
   * Of a mutation: only a call that may start an agent carries the means to (`@delegates`), and one that decides the proof
   * (`@approves`).
   */
  async function ticketFor({ rootFields }: Fetch, body: string, { principal, txn }: RequestContext) {
    const asked = rootFields.map((field) => graph.rules[`Mutation.${field}`])
    if (asked.some((rule) => rule?.approves === name)) {
      const request = JSON.parse(body) as Parameters<ReadApproved>[0]
      return tickets.sealProof(principal, { approved: readApproved(request, name), to: name, txn })
    }
    const starts = asked.map((rule) => rule?.delegates).find((delegates) => delegates?.subgraph === name)
    return starts ? tickets.seal(principal, { agent: starts.agent, to: name, txn }) : null
  }

  /** As records have it, once for each caller: principals do not change. */
  const disclosed = new WeakMap<Principal, ReturnType<typeof disclose>>()
  function disclosedOf(principal: Principal): ReturnType<typeof disclose> {
    const caller = outsideCall(principal)
    let known = disclosed.get(caller)
    if (known === undefined) disclosed.set(caller, (known = disclose(caller, declared)))
    return known
  }

  function prepare(fetch: Fetch): SendFetch {
    const { operation } = fetch
    const isQuery = operation === 'query'
    return async (text, context, entities) => {
      const { principal, txn, trace, signal, record, approval } = context
      const body = Buffer.from(text)
      const begun = performance.now()
      let ticket: string | null = null
      const note = (outcome: 'OK' | ErrorCode, errors: readonly ErrorCode[]) => {
        const { facts: told, scopes: granted } = disclosedOf(principal)
        const ms = performance.now() - begun
        measure?.(outcome, ms)
        record.hop({ to: name, operation, facts: told, scopes: granted, ticket: ticket !== null, outcome, errors, ms })
      }
      try {
        if (operation === 'mutation') ticket = await ticketFor(fetch, text, context)
        const token = signer.sign(principal, {
          to: name,
          body,
          operation,
          txn,
          facts,
          scopes,
          ...(ticket !== null && { ticket }),
          // A fetch of entities after the mutation is a query, and is given none.
          ...(approval !== null && isOf(approval, fetch) && { approval }),
        })
        const attributes = { 'behalf.txn': txn, 'behalf.subgraph': name, 'graphql.operation.type': operation }
        const response = await inSpan(`POST ${name}`, { kind: SpanKind.CLIENT, attributes }, () =>
          client.send({ body, headers: headersOf(traceHeaders(trace), token), isQuery, signal }),
        )
        requireEntities(response, entities)
        note('OK', response.errors.length > 0 ? [...new Set(response.errors.map(({ code }) => code))] : none)
        return response
      } catch (error) {
        note(error instanceof AppError ? error.code : 'INTERNAL', none)
        if (error instanceof AppError)
          log.warn(
            { txn, subgraph: name, code: error.code, reason: describeCause(error.cause) },
            'subgraph request failed',
          )
        throw error
      }
    }
  }

  return { prepare }
}

const none: readonly ErrorCode[] = []

const isOf = ({ field }: Approval, { operation, rootFields }: Fetch) =>
  operation === 'mutation' && rootFields.every((name) => name === field)

const json = 'application/json'
const fixedHeaders = ['content-type', json, 'accept', json, 'accept-encoding', acceptedEncodings]

function headersOf(trace: TraceContext, token: string): string[] {
  const headers = [...fixedHeaders, contextTokenHeader, token]
  for (const [name, value] of Object.entries(trace)) headers.push(name, value)
  return headers
}
