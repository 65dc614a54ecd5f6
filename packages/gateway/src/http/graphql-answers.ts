import { HeaderMap } from '@apollo/server'
import { AppError, type ErrorCode } from '@behalf/identity'
import { LRUCache } from 'lru-cache'
import type { RequestAudit } from '../audit/audit-requests.ts'
import type { RequestContext } from '../execute/request-context.ts'
import type { ServedGraph } from '../graph/serve-graph.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from './admission.ts'
import { type AnswerBatch, type BatchedOperation, isBatch } from './answer-batch.ts'
import { createAnswerRecorded } from './answer-recorded.ts'
import type { AnswerClient, ClientAnswer, ClientRequest } from './client-request.ts'
import type { FindDocument } from './documents.ts'
import { parseJson } from './parse-json.ts'
import { readPlainRequest } from './plain-request.ts'
import { traceOf } from './trace-of.ts'

/** A GraphQL request's answer: the credential ends in `admit`; of the client's headers, execution sees trace context only. */
export function createGraphQLAnswers(options: {
  readonly admit: Admit
  readonly findDocument: FindDocument
  readonly graphs: ServedGraphs
  readonly audit: RequestAudit
  /** Null where a request has one operation. */
  readonly answerBatch: AnswerBatch | null
}): AnswerClient {
  const { admit, findDocument, graphs, audit, answerBatch } = options
  const answerRecorded = createAnswerRecorded({ admit, audit, resource: 'graphql' })

  /** By content type. */
  const plainHeaders = new Map<string, ClientAnswer['headers']>()
  function headersOf(type: string): ClientAnswer['headers'] {
    let headers = plainHeaders.get(type)
    // There are only so many that Apollo Server chooses from.
    if (headers === undefined) plainHeaders.set(type, (headers = Object.freeze({ 'content-type': type })))
    return headers
  }

  /** Content types of answers by what was accepted, as Apollo Server chose them: nothing else has a part in that. */
  const contentTypes = new LRUCache<string, string>({ max: 100 })

  async function answerTo(
    request: ClientRequest,
    { server }: ServedGraph,
    caller: Pick<RequestContext, 'principal' | 'address' | 'record' | 'signal'>,
  ) {
    const { id: txn, method } = request
    const { principal, address, record, signal } = caller
    const context = { principal, address, record, signal, approval: null, txn, trace: traceOf(request) }
    const asked = withDocument(request, findDocument)
    const { accept = '', 'content-type': contentType } = request.headers
    const answerType = contentTypes.get(accept)
    const plain = answerType === undefined || method !== 'POST' ? null : readPlainRequest(contentType, asked.body)
    if (plain !== null && answerType !== undefined) {
      const { status, headers, result } = await server.execute(plain, context)
      const { errors, data, extensions } = result
      const text = `${JSON.stringify({ errors, data, extensions })}\n`
      // Nearly all: nobody has anything to say of how it is sent.
      if (headers === null) return { status: 200, headers: headersOf(answerType), text }
      headers.set('content-type', answerType)
      return finished(status, headers, text, txn)
    }
    const read = { method, headers: negotiationHeaders(request), ...asked }
    const { status, headers, text } = await server.executeHTTP(read, context)
    const chosen = headers.get('content-type')
    if ((status ?? 200) < 400 && chosen !== undefined && accept.length < 200) contentTypes.set(accept, chosen)
    return finished(status, headers, text, txn)
  }

  async function answerOne(
    request: ClientRequest,
    graph: ServedGraph,
    caller: Parameters<typeof answerTo>[2],
  ): Promise<ClientAnswer> {
    const answer = await answerTo(request, graph, caller)
    if (answer.status >= 400) caller.record.refusal ??= codeOf(answer.text)
    return answer
  }

  function finished(status = 200, headers: Map<string, string>, answer: string, txn: string): ClientAnswer {
    // Apollo Server's own cache policy must not replace ours.
    headers.delete('cache-control')
    const text = status < 400 ? answer : withTransaction(answer, txn)
    return { status: statusFor(headers, status, text), headers: Object.fromEntries(headers), text }
  }

  return async (request, gone) => {
    if (request.method !== 'GET' && request.method !== 'POST') throw new AppError('METHOD_NOT_ALLOWED')
    return answerRecorded(request, async ({ principal, address, record }) => {
      using taken = graphs.take()
      const { body } = request
      if (answerBatch !== null && Buffer.isBuffer(body) && isBatch(body)) {
        const caller = { principal, address }
        const answers = await answerBatch(body, caller, { txn: request.id, record }, gone, (operation) =>
          answerOne(alone(request, operation), taken.graph, { ...caller, record: operation.record, signal: gone }),
        )
        return { status: answers.status, body: answers }
      }
      const answer = await answerOne(request, taken.graph, { principal, address, record, signal: gone })
      return { status: answer.status, body: answer }
    })
  }
}

/** As if one operation of a batch had been sent by itself. */
const alone = ({ method, url, ip, headers, raw }: ClientRequest, { txn, body }: BatchedOperation): ClientRequest => ({
  id: txn,
  method,
  url,
  ip,
  headers,
  raw,
  body,
})

/** What was asked, with the text of the document that it names. */
function withDocument({ body, url }: ClientRequest, findDocument: FindDocument) {
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

function codeOf(text: string): string {
  const { errors: [error] = [] } = JSON.parse(text) as { errors?: readonly { extensions?: { code?: unknown } }[] }
  return String(error?.extensions?.code)
}

function negotiationHeaders({ headers }: ClientRequest): HeaderMap {
  const map = new HeaderMap()
  for (const name of ['content-type', 'accept'] as const) {
    const value = headers[name]
    if (value !== undefined) map.set(name, value)
  }
  return map
}
