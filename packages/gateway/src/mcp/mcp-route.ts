import { Readable } from 'node:stream'
import { AppError, readErrorDetails } from '@behalf/identity'
import { type Span, SpanKind } from '@opentelemetry/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { ignoredHeaders } from '../audit/ignored-headers.ts'
import { RequestRecord } from '../audit/request-record.ts'
import { challengeOf } from '../authenticate/challenge.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from '../http/admission.ts'
import type { WriteError } from '../http/create-app.ts'
import { goneSignal } from '../http/gone-signal.ts'
import { parseJson } from '../http/parse-json.ts'
import { requireOwnHost } from '../http/require-own-host.ts'
import type { ResourceMetadata } from '../http/resource-metadata.ts'
import { traceOf } from '../http/trace-of.ts'
import { retryAfter } from '../http/write-errors.ts'
import { inSpan, traceOfClient } from '../tracing.ts'
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

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<Readable | string> {
    const { id: txn, method } = request
    const attributes = { 'behalf.txn': txn, 'http.request.method': method, 'http.route': '/mcp' }
    const parent = traceOfClient(traceOf(request))
    return inSpan(`${method} /mcp`, { kind: SpanKind.SERVER, attributes, parent }, (span) =>
      recorded(request, reply, span),
    )
  }

  async function recorded(request: FastifyRequest, reply: FastifyReply, span: Span): Promise<Readable | string> {
    requireOwnHost(request, resource)
    const record = new RequestRecord(request.id)
    const ignored = ignoredHeaders(request.raw.rawHeaders)
    const { principal } = await inSpan('admit', {}, () => admit(request, 'mcp'))
    using serving = new DisposableStack()
    const { graph } = serving.use(graphs.take())
    let status = 500
    try {
      const tools = await toolsOf(principal, { txn: request.id, graph })
      const response = await endpoint.serve(toWebRequest(request, goneSignal(reply)), bodyOf(request), tools)
      status = response.status
      reply.code(status)
      for (const name of passedBack) {
        const value = response.headers.get(name)
        if (value !== null) reply.header(name, value)
      }
      if (response.body === null) return ''
      const body = Readable.fromWeb(response.body)
      // Calls may run until all of it is written.
      const rest = serving.move()
      body.once('close', () => rest.dispose())
      return body
    } catch (error) {
      const { code, status: failed } = error instanceof AppError ? error : new AppError('INTERNAL')
      record.refusal = code
      status = failed
      throw error
    } finally {
      span.setAttribute('http.response.status_code', status)
      audit.ended(record, principal, { status, ignoredHeaders: ignored })
    }
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
