import { AppError, type ErrorDetails, readErrorDetails } from '@behalf/identity'
import { SpanKind } from '@opentelemetry/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { ignoredHeaders } from '../audit/ignored-headers.ts'
import { RequestRecord } from '../audit/request-record.ts'
import { describeCause } from '../describe-cause.ts'
import type { PlannedSubscription } from '../execute/plan/planned-subscription.ts'
import type { RequestContext } from '../execute/request-context.ts'
import type { ServedGraph } from '../graph/serve-graph.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from '../http/admission.ts'
import type { FindDocument } from '../http/documents.ts'
import { traceOf } from '../http/trace-of.ts'
import type { TakeStream } from '../limits/stream-limits.ts'
import { inSpan, traceOfClient } from '../tracing.ts'
import { createEventWriter, type EventWriter } from './event-writer.ts'
import { goesOn } from './goes-on.ts'
import type { OpenStreams } from './open-streams.ts'
import { readStreamRequest, type StreamRequest } from './read-stream-request.ts'

export interface StreamTimes {
  /** Milliseconds after which a silent stream says that it is still there. Default 15,000. */
  readonly heartbeatMs: number
  /** Milliseconds after which a stream that is not read is ended. Default 10,000. */
  readonly stallMs: number
  /** Milliseconds that a stream of a caller without a credential lasts. Default an hour. */
  readonly anonymousMs: number
}

export const defaultStreamTimes: StreamTimes = { heartbeatMs: 15_000, stallMs: 10_000, anonymousMs: 3_600_000 }

/** Longer than node's timers can wait. */
const longestMs = 2 ** 31 - 1

/**
 * `/graphql/stream`: subscriptions as GraphQL over SSE has them (distinct connections mode). Who is not admitted is
 * answered as at `/graphql`; whatever is wrong from there on is an event, as is the reason of an end.
 */
export function addStreamRoute(
  app: FastifyInstance,
  options: {
    readonly admit: Admit
    readonly findDocument: FindDocument
    readonly graphs: ServedGraphs
    readonly take: TakeStream
    readonly open: OpenStreams
    readonly audit: RequestAudit
    readonly times: StreamTimes
    readonly clock?: () => number
  },
): void {
  const { admit, findDocument, graphs, take, open, audit, times, clock = Date.now } = options

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { id: txn, method } = request
    if (method !== 'GET' && method !== 'POST') throw new AppError('METHOD_NOT_ALLOWED')
    const caller = await admit(request, 'graphql')
    const record = new RequestRecord(txn)
    const ignored = ignoredHeaders(request.raw.rawHeaders)
    const over = new AbortController()
    const end = (reason: AppError | null) => over.abort(reason)
    const ended = (status: number) => audit.ended(record, caller.principal, { status, ignoredHeaders: ignored })
    let asked: StreamRequest
    let leave = () => {}
    try {
      asked = readStreamRequest(request, findDocument)
      const release = take(caller)
      leave = release
      const forget = open.add(caller.principal, end)
      leave = () => {
        release()
        forget()
      }
    } catch (error) {
      leave()
      const { code, status } = error instanceof AppError ? error : new AppError('INTERNAL')
      record.refusal = code
      ended(status)
      throw error
    }
    const close = () => {
      leave()
      end(null)
    }
    reply.raw.once('close', close)
    if (reply.raw.destroyed) close()
    reply.hijack()
    using taken = graphs.take()
    const writer = createEventWriter(reply.raw, { ...times, signal: over.signal })
    const attributes = { 'behalf.txn': txn, 'http.request.method': method, 'http.route': '/graphql/stream' }
    const context = { ...caller, txn, trace: traceOf(request), approval: null, record, signal: over.signal }
    // The span is of the beginning: a stream may last for a day.
    const begun = await inSpan(
      `${method} /graphql/stream`,
      { kind: SpanKind.SERVER, attributes, parent: traceOfClient(context.trace) },
      () => begin(taken.graph, asked, context, writer),
    ).catch((error: unknown) => fail(error, request, writer))
    ended(200)
    if (begun === null) return
    const subscription = begun
    async function endUnlessAllowedBy({ server }: ServedGraph): Promise<void> {
      const isAllowed = await goesOn(server, asked, context, subscription).catch(() => false)
      if (!isAllowed) end(new AppError('GRAPH_CHANGED'))
    }
    const forget = graphs.onReplaced(endUnlessAllowedBy)
    try {
      // While it began.
      if (taken.graph !== graphs.current) await endUnlessAllowedBy(graphs.current)
      await send(taken.graph, subscription, { ...context, request, writer, end })
    } finally {
      forget()
    }
  }

  /** The same way as an operation of `/graphql` up to where it would be planned. Null where there is no more to come. */
  async function begin(
    { server }: ServedGraph,
    asked: StreamRequest,
    context: RequestContext,
    writer: EventWriter,
  ): Promise<PlannedSubscription | null> {
    let authorized: PlannedSubscription | null = null
    const { result } = await server.execute(asked, {
      ...context,
      subscribe: (subscription) => (authorized = subscription),
    })
    if (authorized === null) writer.complete(result)
    return authorized
  }

  async function send(
    { ask }: ServedGraph,
    subscription: PlannedSubscription,
    stream: RequestContext & {
      readonly signal: AbortSignal
      readonly request: FastifyRequest
      readonly writer: EventWriter
      readonly end: (reason: AppError | null) => void
    },
  ): Promise<void> {
    const { writer, request, end, ...context } = stream
    const { principal, txn, signal } = context
    const until = principal.expiresAt ?? Math.ceil((clock() + times.anonymousMs) / 1000)
    const timer = setTimeout(
      () => end(new AppError('STREAM_EXPIRED')),
      Math.min(Math.max(0, until * 1000 - clock()), longestMs),
    )
    try {
      for await (const event of ask(subscription, { ...context, until })) {
        // What is written after the end is not of the stream.
        signal.throwIfAborted()
        await writer.next({ ...event, extensions: { txn } })
      }
      signal.throwIfAborted()
      writer.complete()
    } catch (error) {
      const reason: unknown = signal.aborted ? signal.reason : error
      if (reason === null) return
      fail(reason, request, writer)
      if (signal.aborted) recordEnd(stream, reason)
    } finally {
      clearTimeout(timer)
      end(null)
    }
  }

  /** That it was allowed was one decision; that it no longer is, is another. */
  function recordEnd({ principal, txn, record: { operation } }: RequestContextOfStream, reason: unknown): void {
    const record = new RequestRecord(txn)
    record.operation = operation
    record.refusal = reason instanceof AppError ? reason.code : 'INTERNAL'
    audit.ended(record, principal, { status: 200, ignoredHeaders: [] })
  }

  app.all('/graphql/stream', handle)
}

type RequestContextOfStream = Pick<RequestContext, 'principal' | 'txn' | 'record'>

/** An error is the last event: after it nothing is known of what follows. */
function fail(thrown: unknown, request: FastifyRequest, writer: EventWriter): null {
  const error = thrown instanceof AppError ? thrown : new AppError('INTERNAL', undefined, { cause: thrown })
  const { code, message, details } = error
  const fields = { code, reason: describeCause(error.cause) }
  if (code === 'INTERNAL') request.log.error({ ...fields, err: error.cause }, 'stream failed')
  else request.log.info(fields, 'stream ended')
  writer.complete({ errors: [{ message, extensions: extensionsOf(code, details) }], extensions: { txn: request.id } })
  return null
}

const extensionsOf = (code: string, details: ErrorDetails) => ({ code, ...readErrorDetails(details) })
