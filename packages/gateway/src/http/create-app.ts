import { AppError, type ErrorCode } from '@behalf/identity'
import fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'

const codeOfFastify: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BAD_REQUEST',
}

/** How an error is written to the client, and with which headers. */
export type WriteError = (error: AppError, request: FastifyRequest) => { readonly body: unknown; readonly headers?: Record<string, string> }

/**
 * An HTTP server with what both ports have: bodies as bytes, errors from the table and nothing else,
 * health and readiness. Requests are not logged by URL: there may be something in it that should not be.
 */
export function createApp(options: {
  readonly log: Logger
  readonly maxBodyBytes: number
  readonly contentTypes: readonly string[]
  readonly ready: () => Promise<void>
  readonly writeError: WriteError
}): FastifyInstance {
  const { log, maxBodyBytes, contentTypes, ready, writeError } = options
  const app = fastify({ loggerInstance: log as FastifyBaseLogger, disableRequestLogging: true, bodyLimit: maxBodyBytes, forceCloseConnections: 'idle', requestTimeout: 30_000 })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser([...contentTypes], { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  app.setErrorHandler<Error>(async (error, request, reply) => {
    const known = error instanceof AppError ? error : new AppError(codeOfFastify[(error as FastifyError).code] ?? 'INTERNAL', undefined, { cause: error })
    if (known.status >= 500) log.error({ err: error, code: known.code }, 'request failed')
    else log.info({ code: known.code, cause: String(known.cause ?? '') }, 'request refused')
    const { body, headers = {} } = writeError(known, request)
    await reply.code(known.status).headers(headers).send(body)
  })
  app.setNotFoundHandler(() => {
    throw new AppError('NOT_FOUND')
  })

  let draining = false
  app.addHook('preClose', async () => {
    draining = true
  })
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const status = draining ? 'draining' : await ready().then(() => 'ready', () => 'not ready')
    await reply.code(status === 'ready' ? 200 : 503).send({ status })
  })
  return app
}
