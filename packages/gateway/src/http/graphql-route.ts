import { HeaderMap } from '@apollo/server'
import { AppError } from '@behalf/identity'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { GraphQLServer } from '../execute/graphql-server.ts'
import type { TraceContext } from '../execute/request-context.ts'
import type { Admit } from './admission.ts'
import { parseJson } from './parse-json.ts'

/** `/graphql`: the credential ends in `admit`; of the client's headers, execution sees trace context only. */
export function addGraphQLRoute(
  app: FastifyInstance,
  options: { readonly admit: Admit; readonly server: GraphQLServer },
): void {
  const { admit, server } = options

  async function handle(request: FastifyRequest, reply: FastifyReply) {
    if (request.method !== 'GET' && request.method !== 'POST') throw new AppError('METHOD_NOT_ALLOWED')
    const signal = goneSignal(reply)
    const { principal, address } = await admit(request, 'graphql')
    const { id: txn } = request
    const {
      status = 200,
      headers,
      body,
    } = await server.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        method: request.method,
        headers: negotiationHeaders(request),
        search: new URL(request.url, 'http://gateway').search,
        body: Buffer.isBuffer(request.body) ? parseJson(request.body) : undefined,
      },
      context: async () => ({ principal, txn, trace: traceOf(request), signal, address }),
    })
    if (body.kind !== 'complete')
      throw new AppError('INTERNAL', undefined, { cause: 'incremental delivery was not asked for' })
    // Apollo Server's own cache policy must not replace ours.
    headers.delete('cache-control')
    await reply
      .code(status)
      .headers(Object.fromEntries(headers))
      .send(status < 400 ? body.string : withTransaction(body.string, txn))
  }

  app.all('/graphql', handle)
}

/** Aborts when the client goes away before it has its answer. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort()
  })
  return gone.signal
}

/** What Apollo Server refuses before there is an operation passes no plugin that could say the `txn`. */
function withTransaction(text: string, txn: string): string {
  const answer: unknown = JSON.parse(text)
  return JSON.stringify({ ...(typeof answer === 'object' && answer), extensions: { txn } })
}

function negotiationHeaders({ headers }: FastifyRequest): HeaderMap {
  const map = new HeaderMap()
  for (const name of ['content-type', 'accept'] as const) {
    const value = headers[name]
    if (value !== undefined) map.set(name, value)
  }
  return map
}

/** W3C Trace Context: forwarded only when it has the form of one. */
function traceOf({ headers: { traceparent, tracestate } }: FastifyRequest): TraceContext {
  if (typeof traceparent !== 'string' || !/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent))
    return {}
  return {
    traceparent,
    ...(typeof tracestate === 'string' && /^[\x20-\x7e]{1,512}$/.test(tracestate) && { tracestate }),
  }
}
