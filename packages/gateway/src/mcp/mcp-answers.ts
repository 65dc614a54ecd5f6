import { Readable } from 'node:stream'
import { AppError, type McpRequest, type McpRequestHeader, readErrorDetails } from '@behalf/identity'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { challengeOf } from '../authenticate/challenge.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from '../http/admission.ts'
import { createAnswerRecorded } from '../http/answer-recorded.ts'
import type { ClientRequest } from '../http/client-request.ts'
import { parseJson } from '../http/parse-json.ts'
import type { WriteError } from '../http/refuse.ts'
import { createRequireOwnHost } from '../http/require-own-host.ts'
import { retryAfter } from '../http/write-errors.ts'
import type { McpEndpoint } from './mcp-endpoint.ts'
import type { ToolsOf } from './mcp-tools.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Readable
}

/** @param signal - aborts when the client goes away. */
export type AnswerMcp = (request: ClientRequest, signal: AbortSignal) => Promise<Answer>

/** An MCP request's answer: the credential ends in `admit`; everybody there is a program with a user's token, and nobody is anonymous. */
export function createMcpAnswers(options: {
  readonly admit: Admit
  readonly graphs: ServedGraphs
  readonly toolsOf: ToolsOf
  readonly endpoint: McpEndpoint
  readonly resource: string
  readonly audit: RequestAudit
}): AnswerMcp {
  const { admit, graphs, toolsOf, endpoint, resource, audit } = options
  const requireOwnHost = createRequireOwnHost(new URL(resource))
  const answerRecorded = createAnswerRecorded({ admit, audit, resource: 'mcp' })

  return async (request, signal) => {
    requireOwnHost(request)
    return answerRecorded<Answer>(request, async ({ principal }) => {
      const taken = graphs.take()
      let stream: Readable | null = null
      try {
        const tools = await toolsOf(principal, { txn: request.id, graph: taken.graph })
        const answer = await endpoint.serve(toMcpRequest(request, signal), bodyOf(request), tools)
        const { status, headers, body } = answer
        if (typeof body === 'string') return { status, body: { status, headers, body } }
        stream = Readable.fromWeb(body)
        // Calls may run until all of it is written.
        stream.once('close', () => taken[Symbol.dispose]())
        return { status, body: { status, headers, body: stream } }
      } finally {
        if (stream === null) taken[Symbol.dispose]()
      }
    })
  }
}

/** What the protocol is about; a credential is not among it. */
function toMcpRequest({ method, headers }: ClientRequest, signal: AbortSignal): McpRequest {
  const passed: Record<string, string> = {}
  for (const name of passedOn) {
    const value = headers[name]
    if (value !== undefined) passed[name] = String(value)
  }
  return { method, headers: passed, signal }
}
const passedOn: readonly McpRequestHeader[] = [
  'content-type',
  'accept',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
]

/** One message at a time, as MCP has had it since 2025-06-18: what is decided is decided of a request. */
function bodyOf({ body, method }: ClientRequest): unknown {
  if (method !== 'POST') return undefined
  const message = parseJson(Buffer.isBuffer(body) ? body : Buffer.alloc(0))
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw new AppError('BAD_REQUEST', 'Send one JSON-RPC message.')
  return message
}

/** JSON-RPC 2.0 5.1: of a server's own errors; which one it is, the code of the table says. */
const serverError = -32000
const invalidRequest = -32600

export const writeMcpError =
  (resourceMetadata: string): WriteError =>
  (error, txn) => {
    const { message, code, details } = error
    const challenge = challengeOf(error, resourceMetadata)
    return {
      body: {
        jsonrpc: '2.0',
        id: null,
        error: {
          code: code === 'BAD_REQUEST' ? invalidRequest : serverError,
          message,
          data: { code, txn, ...readErrorDetails(details) },
        },
      },
      headers: {
        ...(challenge !== null && { 'www-authenticate': challenge }),
        ...retryAfter(details),
      },
    }
  }
