import { AppError } from '@behalf/identity'

/** One GraphQL request (GraphQL over HTTP, "Request Parameters"). */
export interface GraphQLRequest {
  readonly query: string
  readonly operationName: string | null
  readonly variables: Record<string, unknown>
}

// A byte order mark is left in the text, where JSON has no place for it (RFC 8259 8.1).
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws {AppError} `BAD_REQUEST` */
export function readRequest(body: Uint8Array): GraphQLRequest {
  const request = parseJson(body)
  if (Array.isArray(request)) throw new AppError('BAD_REQUEST', 'Send one operation per request.')
  if (!isObject(request)) throw new AppError('BAD_REQUEST', 'The body is not a JSON object.')
  const { query, operationName = null, variables = null } = request
  if (typeof query !== 'string') throw new AppError('BAD_REQUEST', '"query" is not a text.')
  if (operationName !== null && typeof operationName !== 'string') {
    throw new AppError('BAD_REQUEST', '"operationName" is neither a text nor null.')
  }
  if (variables !== null && !isObject(variables))
    throw new AppError('BAD_REQUEST', '"variables" is neither an object nor null.')
  return { query, operationName, variables: variables ?? {} }
}

/** Its error has no cause: a parser's message quotes what was sent, and that would be logged. */
function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(body))
  } catch {
    throw new AppError('BAD_REQUEST', 'The body is not JSON.')
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
