import type { ServerResponse } from 'node:http'
import { AppError } from '@behalf/identity'
import { SpanKind } from '@opentelemetry/api'
import { ignoredHeaders } from '../audit/ignored-headers.ts'
import { RequestRecord } from '../audit/request-record.ts'
import type { FastifyInstance } from 'fastify'
import type { Admit } from '../http/admission.ts'
import type { ClientRequest } from '../http/client-request.ts'
import type { FindDocument } from '../http/documents.ts'
import { traceOf } from '../http/trace-of.ts'
import type { TakeStream } from '../limits/stream-limits.ts'
import { inSpan, traceOfClient } from '../tracing.ts'
import { ClientStream, type StreamCaller, type StreamParts } from './client-stream.ts'
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

/**
 * Serves a stream to whoever asks for one by GraphQL over SSE (distinct connections mode). Who is not admitted is
 * answered as at `/graphql`; whatever is wrong from there on is an event, as is the reason of an end.
 *
 * @returns once it has begun, or has not
 * @throws {AppError} why nothing was written
 */
export type ServeStream = (request: ClientRequest, response: ServerResponse) => Promise<void>

export function createServeStream(
  options: {
    readonly admit: Admit
    readonly findDocument: FindDocument
    readonly take: TakeStream
    readonly open: OpenStreams<ClientStream>
    readonly times: StreamTimes
  } & Omit<StreamParts, 'stallMs'>,
): ServeStream {
  const { admit, findDocument, take, open, times, graphs, audit, log, clock } = options
  const parts: StreamParts = { graphs, audit, log, clock, stallMs: times.stallMs }

  /** Not where a request is at hand: what is done when its connection closes would hold it for as long. */
  function letIn(caller: StreamCaller, response: ServerResponse): ClientStream {
    const release = take(caller)
    const until = caller.principal.expiresAt ?? Math.ceil((clock() + times.anonymousMs) / 1000)
    const stream = new ClientStream(caller, until, response, parts)
    const leave = () => {
      stream.leave()
      open.forget(stream)
      release()
    }
    try {
      open.add(stream)
    } catch (error) {
      leave()
      throw error
    }
    if (response.destroyed) leave()
    else response.on('close', leave)
    return stream
  }

  return async (request, response) => {
    const { id: txn, method, raw } = request
    if (method !== 'GET' && method !== 'POST') throw new AppError('METHOD_NOT_ALLOWED')
    const { principal, address } = await admit(request, 'graphql')
    const record = new RequestRecord(txn)
    const ignored = ignoredHeaders(raw.rawHeaders)
    const ended = (status: number) => audit.ended(record, principal, { status, ignoredHeaders: ignored })
    const span = { kind: SpanKind.SERVER, attributes: attributesOf(request), parent: traceOfClient(traceOf(request)) }

    let asked: StreamRequest
    let stream: ClientStream
    try {
      asked = readStreamRequest(request, findDocument)
      stream = letIn({ principal, address, txn, trace: traceOf(request) }, response)
    } catch (error) {
      const { code, status } = error instanceof AppError ? error : new AppError('INTERNAL')
      record.refusal = code
      ended(status)
      throw error
    }
    forgetHead(response)
    // The span is of the beginning: a stream may last for a day.
    await inSpan(`${method} ${path}`, span, () => stream.begin(asked, record))
    // Which subgraph is told what is known once it is asked.
    await stream.listen(record).finally(() => ended(200))
  }
}

const path = '/graphql/stream'
const attributesOf = ({ id, method }: ClientRequest) => ({
  'behalf.txn': id,
  'http.request.method': method,
  'http.route': path,
})

/** A connection keeps what it has read until it closes, which may be tomorrow: the credential is not to be among it. */
function forgetHead({ req }: ServerResponse): void {
  req.headers = {}
  req.rawHeaders = []
}

/** Serves streams on `app`: any of them, in whichever way they are asked for. */
export function addStreamRoute(app: FastifyInstance, serve: ServeStream): void {
  app.all(path, async (request, reply) => {
    await serve(request, reply.raw)
    reply.hijack()
  })
}
