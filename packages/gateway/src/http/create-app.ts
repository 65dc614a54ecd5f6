import { AppError, type ErrorCode } from '@behalf/identity'
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import { describeCause } from '../describe-cause.ts'
import { makeTxn } from './make-txn.ts'
import { refuseConnection } from './refuse-connection.ts'

const codeOfFastify: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BAD_REQUEST',
  FST_ERR_BAD_URL: 'BAD_REQUEST',
  // Of node: the connection ended before the body did.
  ECONNRESET: 'BAD_REQUEST',
}

/** How an error is written to the client, and with which headers. */
export type WriteError = (
  error: AppError,
  txn: string,
) => { readonly body: unknown; readonly headers?: Record<string, string> }

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of a route whose errors are not written as the others of its port. */
    readonly writeError?: WriteError
  }
}

/**
 * An HTTP server with what both ports have: a `txn` as the id of each request, bodies as bytes, errors from the table
 * and nothing else, health and readiness. Requests are not logged by URL or header: there may be something in it that should not be.
 */
export function createApp(options: {
  readonly log: FastifyBaseLogger
  readonly maxBodyBytes: number
  /** Addresses and networks of proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly string[]
  readonly contentTypes: readonly string[]
  readonly ready: () => Promise<void>
  /** What `/readyz?verbose` says besides. */
  readonly details?: () => object
  readonly writeError: WriteError
}): FastifyInstance {
  const { log, maxBodyBytes, trustedProxies = [], contentTypes, ready, details, writeError } = options

  async function refuse(error: Error, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const known = error instanceof AppError ? error : toAppError(error)
    const fields = { code: known.code, reason: describeCause(known.cause) }
    if (known.code === 'INTERNAL')
      request.log.error({ ...fields, err: known.cause instanceof Error ? known.cause : known }, 'request failed')
    else request.log[known.status >= 500 ? 'warn' : 'info'](fields, 'request refused')
    const { body, headers = {} } = (request.routeOptions.config.writeError ?? writeError)(known, request.id)
    await reply.code(known.status).headers(headers).send(body)
  }

  const app = fastify({
    loggerInstance: log,
    // The `txn` of a request is made by us, whatever the client sends.
    genReqId: makeTxn,
    requestIdHeader: false,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'txn' }),
    bodyLimit: maxBodyBytes,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    requestTimeout: 30_000,
    // Less than for the whole, or node takes one for the other; looked after every second, not every 30.
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1000 },
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: refuseConnection(log, writeError),
    frameworkErrors: (error, request, reply) => void refuse(error, request as FastifyRequest, reply as FastifyReply),
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser([...contentTypes], { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  app.addHook('onRequest', ({ headers }, reply, done) => {
    // What we say is about one caller at one moment.
    reply.header('cache-control', 'no-store')
    // RFC 9110 8.4: whoever looks at requests before us must not see another body than we read.
    if (headers['content-encoding'] === undefined) done()
    else done(new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as it is, without "Content-Encoding".'))
  })
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  // A connection that was busy when the others were closed must not stay open, once it has its answer, for the next request.
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close')
    done(null, payload)
  })
  app.setErrorHandler(refuse)
  app.setNotFoundHandler(() => {
    throw new AppError('NOT_FOUND')
  })

  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get<{ Querystring: { verbose?: unknown } }>('/readyz', async ({ query }, reply) => {
    const isReady = await ready().then(
      () => true,
      (cause: unknown) => log.warn({ reason: describeCause(cause) }, 'not ready'),
    )
    const more = query.verbose === undefined ? undefined : details?.()
    await reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready', ...more })
  })
  return app
}

/** Of Fastify's own errors only the code is kept: their messages quote URLs. */
function toAppError(error: Error): AppError {
  const code = 'code' in error ? String(error.code) : ''
  const known = codeOfFastify[code]
  return known === undefined
    ? new AppError('INTERNAL', undefined, { cause: error })
    : new AppError(known, undefined, { cause: code })
}
