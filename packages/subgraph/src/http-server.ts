import { AppError, ContextError, type ContextVerifier, type EventCounter, type VerifiedHead } from '@behalf/identity'
import { endUnused } from '@behalf/process'
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import type { Socket } from 'node:net'
import type { AnswerRequest } from './answer-request.ts'
import { refusedContext } from './audit-events.ts'
import type { Limits } from './limits.ts'
import { errorBody } from './mask-error.ts'
import { reasonOf } from './note-errors.ts'
import { sendEvents } from './send-events.ts'
import { inServerSpan } from './tracing.ts'

export interface HttpOptions {
  readonly verifier: ContextVerifier
  readonly answerRequest: AnswerRequest
  /** Throws where requests cannot be answered now. */
  readonly ready: () => Promise<void>
  readonly limits: Limits
  /** Where refused context tokens are recorded, if anywhere. */
  readonly refusals: EventCounter | null
  readonly log: FastifyBaseLogger
}

const json = 'application/json; charset=utf-8'
const nothing = new Uint8Array()
/** Routes that reveal nothing and change nothing. All others ask for a context token. */
const openRoutes: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz'])

/**
 * `POST /graphql`, `GET /healthz`, `GET /readyz`.
 *
 * The order of work is the security property: the context token is verified on the head, before a byte of the body
 * is read; the body's hash before it is parsed; the kind of operation before it is executed.
 */
export function createHttpServer({
  verifier,
  answerRequest,
  ready,
  limits,
  refusals,
  log,
}: HttpOptions): FastifyInstance {
  const app: FastifyInstance = Fastify({
    loggerInstance: childless(log),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.arrivalMs,
    // Node takes the larger of both for the whole request.
    http: { headersTimeout: limits.arrivalMs, connectionsCheckingInterval: Math.min(1000, limits.arrivalMs) },
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    frameworkErrors: (_error, _request, reply) => void sendError(reply as FastifyReply, new AppError('BAD_REQUEST')),
    clientErrorHandler: refuseConnection,
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setErrorHandler((thrown, request, reply) => {
    if (thrown instanceof ContextError) noteRefusal(thrown, refusals)
    return refuse(thrown, request, reply)
  })

  app.decorateRequest('head', null)
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.is404) throw new AppError('NOT_FOUND')
    if (openRoutes.has(request.routeOptions.url)) return done()
    const { method = '', url = '', rawHeaders } = request.raw
    request.setDecorator('head', verifier.verifyHead({ method, url, rawHeaders }))
    done()
  })

  let closing = false
  const endUnusedConnections = endUnused(app.server)
  app.addHook('preClose', async () => {
    closing = true
    endUnusedConnections()
  })
  // A connection that was busy when the idle ones were closed must not stay open, once it has its answer, for the next.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close')
    done()
  })

  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    try {
      await ready()
      return { status: 'ready' }
    } catch (err) {
      log.warn({ err }, 'not ready')
      return reply.code(503).send({ status: 'not ready' })
    }
  })

  // Every method, so that a context token is asked for before anything is said about methods.
  app.all('/graphql', async (request, reply) => {
    const bytes = request.body instanceof Uint8Array ? request.body : nothing
    const head = request.getDecorator<VerifiedHead>('head')
    const body = head.verifyBody(bytes)
    const gone = new AbortController()
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) gone.abort()
    })
    const trace = traceOf(request)
    const traced = trace ? log.child(trace) : log
    const answer = await inServerSpan(trace, head.txn, () => answerRequest(body, bytes, gone.signal, traced))
    if ('events' in answer) {
      reply.hijack()
      await sendEvents(reply.raw, answer.events, limits)
      return
    }
    return reply.code(answer.status).type(json).send(answer.body)
  })
  return app
}

/** Fastify makes a log of its own for each request, written to or not; a transaction has its id already. */
const childless = (log: FastifyBaseLogger): FastifyBaseLogger =>
  Object.create(log, {
    child: {
      value(this: FastifyBaseLogger) {
        return this
      },
    },
  })

/** The caller's trace (W3C Trace Context, sections 3.2 and 3.3), if it is one: no other header is ever logged. */
function traceOf({ headers }: FastifyRequest): { traceparent: string; tracestate?: string } | null {
  const { traceparent, tracestate } = headers
  if (typeof traceparent !== 'string' || !/^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(traceparent))
    return null
  const hasState = typeof tracestate === 'string' && /^[\x20-\x7e]{1,512}$/.test(tracestate)
  return hasState ? { traceparent, tracestate } : { traceparent }
}

/** A token whose signature did not hold says nothing, not even of which transaction it is. */
function noteRefusal({ code, txn }: ContextError, refusals: EventCounter | null): void {
  if (txn === null) refusals?.count({ what: 'context.refused', outcome: code })
  else refusals?.record(refusedContext(txn, code))
}

/** Answers requests of which nothing was executed. */
function refuse(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toRefusal(thrown)
  const txn = error instanceof ContextError ? error.txn : request.getDecorator<VerifiedHead | null>('head')?.txn
  const fields = { code: error.code, reason: reasonOf(error), ...(txn && { txn }) }
  if (error.code === 'INTERNAL') request.log.error({ ...fields, err: error.cause }, 'request failed')
  else request.log.info(fields, 'request refused')
  return sendError(reply, error)
}

function sendError(reply: FastifyReply, error: AppError): FastifyReply {
  // The rest of the body may still be coming, and nobody is going to read it.
  if (!reply.request.raw.complete) reply.header('connection', 'close')
  return reply.code(error.status).type(json).send(errorBody(error))
}

function toRefusal(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  const { code, statusCode = 500 } = thrown as { code?: string; statusCode?: number }
  if (statusCode === 413) return new AppError('PAYLOAD_TOO_LARGE', undefined, { cause: thrown })
  if (statusCode === 415) return new AppError('UNSUPPORTED_MEDIA_TYPE', undefined, { cause: code })
  return new AppError(statusCode < 500 ? 'BAD_REQUEST' : 'INTERNAL', undefined, { cause: thrown })
}

/** What is not HTTP, or did not arrive in time, has no request to answer. */
function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const body = errorBody(new AppError('BAD_REQUEST'))
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request'
  const head = [
    `HTTP/1.1 ${status}`,
    'Connection: close',
    `Content-Type: ${json}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
