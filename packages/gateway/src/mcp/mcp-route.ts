import { Readable } from 'node:stream'
import { AppError, readErrorDetails } from '@behalf/identity'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { challengeOf } from '../authenticate/challenge.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from '../http/admission.ts'
import { createAnswerRecorded } from '../http/answer-recorded.ts'
import type { WriteError } from '../http/refuse.ts'
import { goneSignal } from '../http/gone-signal.ts'
import { parseJson } from '../http/parse-json.ts'
import { requireOwnHost } from '../http/require-own-host.ts'
import type { ResourceMetadata } from '../http/resource-metadata.ts'
import { retryAfter } from '../http/write-errors.ts'
import type { McpEndpoint } from './mcp-endpoint.ts'
import type { ToolsOf } from './mcp-tools.ts'

/** Of a request, what the protocol is about; a credential is not among it. */
const passedOn = ['content-type', 'accept', 'mcp-protocol-version', 'mcp-method', 'mcp-name'] as const
const passedBack = ['content-type', 'allow'] as const

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
  const resource = new URL(metadata.document.resource)

  const answerRecorded = createAnswerRecorded({ admit, audit, resource: 'mcp' })

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<Readable | string> {
    requireOwnHost(request, resource)
    return answerRecorded<Readable | string>(request, async ({ principal }) => {
      using serving = new DisposableStack()
      const { graph } = serving.use(graphs.take())
      const tools = await toolsOf(principal, { txn: request.id, graph })
      const response = await endpoint.serve(toWebRequest(request, goneSignal(reply.raw)), bodyOf(request), tools)
      const { status } = response
      reply.code(status)
      for (const name of passedBack) {
        const value = response.headers.get(name)
        if (value !== null) reply.header(name, value)
      }
      if (response.body === null) return { status, body: '' }
      const body = Readable.fromWeb(response.body)
      // Calls may run until all of it is written.
      const rest = serving.move()
      body.once('close', () => rest.dispose())
      return { status, body }
    })
  }

  app.all('/mcp', { config: { writeError: writeMcpError(metadata.url) } }, handle)
}

function toWebRequest({ method, headers }: FastifyRequest, signal: AbortSignal): Request {
  const passed = new Headers()
  for (const name of passedOn) {
    const value = headers[name]
    if (value !== undefined) passed.set(name, String(value))
  }
  return new Request('http://gateway/mcp', { method, headers: passed, signal })
}

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
