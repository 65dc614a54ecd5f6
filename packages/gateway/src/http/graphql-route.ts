import { HeaderMap } from '@apollo/server'
import { AppError, type ErrorCode } from '@behalf/identity'
import { type Span, SpanKind } from '@opentelemetry/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { ignoredHeaders } from '../audit/ignored-headers.ts'
import { RequestRecord } from '../audit/request-record.ts'
import type { RequestContext } from '../execute/request-context.ts'
import type { ServedGraph } from '../graph/serve-graph.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from './admission.ts'
import type { FindDocument } from './documents.ts'
import { goneSignal } from './gone-signal.ts'
import { parseJson } from './parse-json.ts'
import { readPlainRequest } from './plain-request.ts'
import { traceOf } from './trace-of.ts'
import { inSpan, traceOfClient } from '../tracing.ts'

/** `/graphql`: the credential ends in `admit`; of the client's headers, execution sees trace context only. */
export function addGraphQLRoute(
  app: FastifyInstance,
  options: {
    readonly admit: Admit
    readonly findDocument: FindDocument
    readonly graphs: ServedGraphs
    readonly audit: RequestAudit
  },
): void {
  const { admit, findDocument, graphs, audit } = options

  /** A span of the client's trace, if it has one. Its attributes name the transaction, and nobody. */
  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<string> {
    const { id: txn, method } = request
    if (method !== 'GET' && method !== 'POST') throw new AppError('METHOD_NOT_ALLOWED')
    const attributes = { 'behalf.txn': txn, 'http.request.method': method, 'http.route': '/graphql' }
    const parent = traceOfClient(traceOf(request))
    return inSpan(`${method} /graphql`, { kind: SpanKind.SERVER, attributes, parent }, (span) =>
      recorded(request, reply, span),
    )
  }

  async function recorded(request: FastifyRequest, reply: FastifyReply, span: Span): Promise<string> {
    const record = new RequestRecord(request.id)
    const ignored = ignoredHeaders(request.raw.rawHeaders)
    const { principal, address } = await inSpan('admit', {}, () => admit(request, 'graphql'))
    using taken = graphs.take()
    let status = 500
    try {
      const answer = await answerTo(request, taken.graph, { principal, address, record, signal: goneSignal(reply) })
      status = answer.status
      if (status >= 400) record.refusal ??= codeOf(answer.text)
      reply.code(status).headers(answer.headers)
      return answer.text
    } catch (error) {
      const { code, status: failed } = error instanceof AppError ? error : new AppError('INTERNAL')
      record.refusal = code
      status = failed
      throw error
    } finally {
      span.setAttribute('http.response.status_code', status)
      if (record.operation) span.setAttribute('graphql.operation.type', record.operation.type)
      audit.ended(record, principal, { status, ignoredHeaders: ignored })
    }
  }

  /** Content types of answers by what was accepted, as Apollo Server chose them: nothing else has a part in that. */
  const contentTypes = new LRUCache<string, string>({ max: 100 })

  async function answerTo(
    request: FastifyRequest,
    { server }: ServedGraph,
    caller: Pick<RequestContext, 'principal' | 'address' | 'record' | 'signal'>,
  ) {
    const { id: txn, method } = request
    const context = { ...caller, approval: null, txn, trace: traceOf(request) }
    const asked = withDocument(request, findDocument)
    const { accept = '', 'content-type': contentType } = request.headers
    const answerType = contentTypes.get(accept)
    const plain = answerType === undefined || method !== 'POST' ? null : readPlainRequest(contentType, asked.body)
    if (plain !== null && answerType !== undefined) {
      const { http, body } = await server.executeOperation(plain, { contextValue: context })
      if (body.kind !== 'single') throw notAtOnce()
      const { errors, data, extensions } = body.singleResult
      http.headers.set('content-type', answerType)
      return finished(http.status, http.headers, `${JSON.stringify({ errors, data, extensions })}\n`, txn)
    }
    const httpGraphQLRequest = { method, headers: negotiationHeaders(request), ...asked }
    const { status, headers, body } = await server.executeHTTPGraphQLRequest({
      httpGraphQLRequest,
      context: async () => context,
    })
    if (body.kind !== 'complete') throw notAtOnce()
    const chosen = headers.get('content-type')
    if ((status ?? 200) < 400 && chosen !== undefined && accept.length < 200) contentTypes.set(accept, chosen)
    return finished(status, headers, body.string, txn)
  }

  function finished(status = 200, headers: Map<string, string>, answer: string, txn: string) {
    // Apollo Server's own cache policy must not replace ours.
    headers.delete('cache-control')
    const text = status < 400 ? answer : withTransaction(answer, txn)
    return { status: statusFor(headers, status, text), headers: Object.fromEntries(headers), text }
  }

  app.all('/graphql', handle)
}

/** What was asked, with the text of the document that it names. */
function withDocument({ body, url }: FastifyRequest, findDocument: FindDocument) {
  if (Buffer.isBuffer(body)) {
    const search = url.includes('?') ? new URL(url, 'http://gateway').search : ''
    const parsed = parseJson(body)
    // Whatever else it is, is refused where it is read.
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return { search, body: parsed }
    const query = findDocument(parsed)
    return { search, body: query === null ? parsed : { ...parsed, query, extensions: null } }
  }
  const { search, searchParams } = new URL(url, 'http://gateway')
  const extensions = searchParams.get('extensions')
  const query = findDocument({
    query: searchParams.get('query'),
    documentId: searchParams.get('documentId'),
    extensions: extensions === null ? null : parseJson(Buffer.from(extensions)),
  })
  if (query === null) return { search, body: undefined }
  searchParams.set('query', query)
  searchParams.delete('extensions')
  return { search: `?${searchParams.toString()}`, body: undefined }
}

/**
 * In `application/json`, a status other than 200 says that what answered need not be a GraphQL server: what is wrong with
 * an operation is only in the answer (GraphQL over HTTP, 6.4.1). Limits are not of the operation's correctness.
 */
const statusFor = (headers: ReadonlyMap<string, string>, status: number, text: string): number =>
  status === 400 && headers.get('content-type')?.startsWith('application/json') && wrongOperation.has(codeOf(text))
    ? 200
    : status

const wrongOperation: ReadonlySet<string> = new Set<ErrorCode>([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'BAD_USER_INPUT',
])

/** What Apollo Server refuses before there is an operation passes no plugin that could say the `txn`. */
function withTransaction(text: string, txn: string): string {
  const answer: unknown = JSON.parse(text)
  return JSON.stringify({ ...(typeof answer === 'object' && answer), extensions: { txn } })
}

const notAtOnce = () => new AppError('INTERNAL', undefined, { cause: 'incremental delivery was not asked for' })

function codeOf(text: string): string {
  const { errors: [error] = [] } = JSON.parse(text) as { errors?: readonly { extensions?: { code?: unknown } }[] }
  return String(error?.extensions?.code)
}

function negotiationHeaders({ headers }: FastifyRequest): HeaderMap {
  const map = new HeaderMap()
  for (const name of ['content-type', 'accept'] as const) {
    const value = headers[name]
    if (value !== undefined) map.set(name, value)
  }
  return map
}
