import { Readable } from 'node:stream'
import { AppError, type McpRequest, type McpRequestHeader, readErrorDetails } from '@behalf/identity'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { challengeOf } from '../authenticate/challenge.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from '../http/admission.ts'
import { createAnswerRecorded } from '../http/answer-recorded.ts'
import type { WriteError } from '../http/create-app.ts'
import { goneSignal } from '../http/gone-signal.ts'
import { parseJson } from '../http/parse-json.ts'
import { createRequireOwnHost } from '../http/require-own-host.ts'
import type { ResourceMetadata } from '../http/resource-metadata.ts'
import { retryAfter } from '../http/write-errors.ts'
import type { McpEndpoint } from './mcp-endpoint.ts'
import type { ToolsOf } from './mcp-tools.ts'

/** `/mcp`: the credential ends in `admit`; everybody there is a program with a user's token, and nobody is anonymous. */
export function addMcpRoute(
  app: FastifyInstance,
  options: {
    readonly admit: Admit
    readonly graphs: ServedGraphs
    readonly toolsOf: ToolsOf
    readonly endpoint: McpEndpoint
    readonly metadata: ResourceMetadata
    readonly audit: RequestAudit
  },
): void {
  const { admit, graphs, toolsOf, endpoint, metadata, audit } = options
  const requireOwnHost = createRequireOwnHost(new URL(metadata.document.resource))

  const answerRecorded = createAnswerRecorded({ admit, audit, resource: 'mcp' })

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<Readable | string> {
    requireOwnHost(request)
    return answerRecorded<Readable | string>(request, async ({ principal }) => {
      using serving = new DisposableStack()
      const { graph } = serving.use(graphs.take())
      const tools = await toolsOf(principal, { txn: request.id, graph })
      const { status, headers, body: answer } = await endpoint.serve(
        toMcpRequest(request, goneSignal(reply)),
        bodyOf(request),
        tools,
      )
      reply.code(status).headers(headers)
      if (typeof answer === 'string') return { status, body: answer }
      const body = Readable.fromWeb(answer)
      // Calls may run until all of it is written.
      const rest = serving.move()
      body.once('close', () => rest.dispose())
      return { status, body }
    })
  }

  app.all('/mcp', { config: { writeError: writeMcpError(metadata.url) } }, handle)
}

/** What the protocol is about; a credential is not among it. */
function toMcpRequest({ method, headers }: FastifyRequest, signal: AbortSignal): McpRequest {
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
function bodyOf({ body, method }: FastifyRequest): unknown {
  if (method !== 'POST') return undefined
  const message = parseJson(Buffer.isBuffer(body) ? body : Buffer.alloc(0))
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw new AppError('BAD_REQUEST', 'Send one JSON-RPC message.')
  return message
}

/** JSON-RPC 2.0 5.1: of a server's own errors; which one it is, the code of the table says. */
const serverError = -32000
const invalidRequest = -32600

const writeMcpError =
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
