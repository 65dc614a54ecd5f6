import { AppError } from '@behalf/identity'
import { z } from 'zod'
import type { FindDocument } from '../http/documents.ts'
import { parseJson } from '../http/parse-json.ts'

/** GraphQL over HTTP, "Request Parameters". */
export interface StreamRequest {
  readonly query: string
  readonly operationName?: string
  readonly variables: Record<string, unknown>
}

const schema = z.object({
  query: z.string().nullish(),
  documentId: z.string().nullish(),
  operationName: z.string().nullish(),
  // As it is: z.record would leave out what a client named `__proto__`.
  variables: z
    .custom<Record<string, unknown>>((value) => typeof value === 'object' && value !== null && !Array.isArray(value))
    .nullish(),
})

/**
 * The body of a POST, or, for EventSource, which can send none, the parameters of a GET.
 *
 * @throws {AppError} `BAD_REQUEST`, and what `findDocument` throws
 */
export function readStreamRequest(
  request: { readonly method: string; readonly url: string; readonly body: unknown },
  findDocument: FindDocument,
): StreamRequest {
  const parsed = schema.safeParse(request.method === 'GET' ? readParameters(request.url) : readBody(request.body))
  if (!parsed.success)
    throw new AppError('BAD_REQUEST', 'Send "query", and if need be "variables" and "operationName".')
  const { operationName, variables } = parsed.data
  const query = findDocument(parsed.data) ?? parsed.data.query
  if (query == null || query === '') throw new AppError('BAD_REQUEST', 'Send "query", or "documentId".')
  return { query, ...(operationName != null && { operationName }), variables: variables ?? {} }
}

const readBody = (body: unknown) => (Buffer.isBuffer(body) ? parseJson(body) : undefined)

function readParameters(url: string): Record<string, unknown> {
  const { searchParams } = new URL(url, 'http://gateway')
  const variables = searchParams.get('variables')
  return {
    query: searchParams.get('query'),
    documentId: searchParams.get('documentId'),
    operationName: searchParams.get('operationName'),
    variables: variables === null ? null : parseJson(Buffer.from(variables)),
  }
}
