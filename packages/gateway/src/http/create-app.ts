import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { AppError } from '@behalf/identity'
import { endUnused } from '@behalf/process'
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import { describeCause } from '../describe-cause.ts'
import { createRequestMeter } from '../measure/measure-requests.ts'
import { makeTxn } from './make-txn.ts'
import { noteRefusal, type WriteError } from './refuse.ts'
import { refuseConnection } from './refuse-connection.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of a route whose errors are not written as the others of its port. */
    readonly writeError?: WriteError
  }
}

/** Answers a request without the framework; false, having done nothing, if it is not for that. */
export type TakeDirectly = (request: IncomingMessage, response: ServerResponse, isClosing: () => boolean) => boolean

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
  /** Is shown each request first. */
  readonly takeDirectly?: TakeDirectly
}): FastifyInstance {
  const { log, maxBodyBytes, trustedProxies = [], contentTypes, ready, details, writeError, takeDirectly } = options
  let closing = false
  const isClosing = () => closing

  async function refuse(error: Error, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const known = noteRefusal(error, request.log)
    const { body, headers = {} } = (request.routeOptions.config.writeError ?? writeError)(known, request.id)
    await reply.code(known.status).headers(headers).send(body)
  }

  const measure = createRequestMeter((route) => app.hasRoute(route))
  const app: FastifyInstance = fastify({
    loggerInstance: log,
    // The `txn` of a request is made by us, whatever the client sends.
    genReqId: makeTxn,
    requestIdHeader: false,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'txn' }),
    bodyLimit: maxBodyBytes,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    serverFactory(framework, { keepAliveTimeout }: { readonly keepAliveTimeout?: number }) {
      // The head in less time than the whole, or node takes one for the other; looked after every second, not every 30.
      const times = {
        keepAliveTimeout,
        requestTimeout: 30_000,
        headersTimeout: 10_000,
        connectionsCheckingInterval: 1000,
      }
      return createServer(times, (request, response) => {
        measure?.(request, response)
        if (!takeDirectly?.(request, response, isClosing)) framework(request, response)
      })
    },
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
  const endUnusedConnections = endUnused(app.server)
  app.addHook('preClose', async () => {
    closing = true
    endUnusedConnections()
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
