import { HeaderMap } from '@apollo/server'
import { AppError, type Principal } from '@behalf/identity'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import type { Authenticate } from '../authenticate/authenticate.ts'
import type { GraphQLServer } from '../execute/graphql-server.ts'
import type { TraceContext } from '../execute/request-context.ts'
import { parseJson } from './parse-json.ts'

const transactions = new WeakMap<FastifyRequest, string>()

/** `txn` of an incoming request: made by us, whatever the client sends. */
export function transactionOf(request: FastifyRequest): string {
  let txn = transactions.get(request)
  if (txn === undefined) transactions.set(request, (txn = uuidv7()))
  return txn
}

/** `/graphql`: the credential ends in `authenticate`; of the client's headers, execution sees trace context only. */
export function addGraphQLRoute(app: FastifyInstance, options: { readonly authenticate: Authenticate; readonly server: GraphQLServer }): void {
  const { authenticate, server } = options

  async function handle(request: FastifyRequest, reply: FastifyReply) {
    const principal = await authenticate({ rawHeaders: request.raw.rawHeaders, url: request.url })
    const response = await server.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        method: request.method,
        headers: negotiationHeaders(request),
        search: new URL(request.url, 'http://gateway').search,
        body: Buffer.isBuffer(request.body) ? parseJson(request.body) : undefined,
      },
      context: async () => contextOf(request, reply, principal),
    })
    if (response.body.kind !== 'complete') throw new AppError('INTERNAL', undefined, { cause: 'incremental delivery was not asked for' })
    await reply.code(response.status ?? 200).headers(Object.fromEntries(response.headers)).header('cache-control', 'no-store').send(response.body.string)
  }

  app.route({ method: ['GET', 'POST'], url: '/graphql', handler: handle })
}

function contextOf(request: FastifyRequest, reply: FastifyReply, principal: Principal) {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort()
  })
  return { principal, txn: transactionOf(request), trace: traceOf(request), signal: gone.signal }
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
  if (typeof traceparent !== 'string' || !/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)) return {}
  return { traceparent, ...(typeof tracestate === 'string' && /^[\x20-\x7e]{1,512}$/.test(tracestate) && { tracestate }) }
}
