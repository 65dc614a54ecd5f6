import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  anonymousSubject,
  AppError,
  ContextError,
  createContextVerifier,
  errorTable,
  type Identity,
  type VerifiedContext,
} from '@behalf/identity'
import { createServedTools, type ServedTool } from './served-tools.ts'
import { createToolEndpoint, type ServerDescription } from './tool-endpoint.ts'
import type { SessionOwner } from './tool-sessions.ts'

export interface ToolServerOptions extends ServerDescription {
  /** What the gateway calls this receiver: `hop.to` of its context tokens. */
  readonly receiver: string
  /** `BEHALF_CONTEXT_KEYS`: this receiver's own keys. */
  readonly contextKeys: string
  /** `aud` of context tokens. Default `behalf`. */
  readonly trustDomain?: string
  readonly tools: readonly ServedTool[]
  /**
   * True the first time an id is seen by any replica; remembers it until `expiresAt`. If it throws, the call is refused.
   * Needed where a tool changes something.
   */
  readonly consume?: (id: string, expiresAt: Date) => Promise<boolean>
  /** Told why a request was refused; no token is in it. */
  readonly onRefused?: (refused: {
    readonly code: string
    readonly reason: string
    readonly txn: string | null
  }) => void
  /** Bytes of a request at most. Default 256 KiB. */
  readonly maxBodyBytes?: number
  /** Origins of web pages whose requests a host passes on with theirs. Default: none. */
  readonly origins?: readonly string[]
}

export interface ToolServer {
  /** Serves at every path of `port` of `host`, by default of loopback. */
  listen(at: { readonly port: number; readonly host?: string }): Promise<{ readonly url: string }>
  close(): Promise<void>
}

/**
 * A server of tools inside the trust domain: whoever asks shows a context token for exactly this request
 * (docs/spec/mcp-identity.md), and handlers are given the identity in it. There is no option that turns that off.
 *
 * @throws {TypeError} that names each tool whose arguments could choose for whom it acts, or that cannot be served
 */
export function createToolServer(options: ToolServerOptions): ToolServer {
  const { receiver, contextKeys: keys, trustDomain = 'behalf', tools, consume, onRefused } = options
  const { maxBodyBytes = 256 * 1024, origins = [], clock = Date.now } = options
  if (consume === undefined && tools.some(({ readOnly }) => !readOnly))
    throw new TypeError('A tool changes something: give "consume", so that no call of it is received twice.')
  const verifier = createContextVerifier({ receiver, keys, trustDomain, maxBodyBytes, clock })
  const served = createServedTools(tools)
  const endpoint = createToolEndpoint(options)

  /** In this order: the head, before a byte of the body is read; its hash, before it is parsed; what it asks for. */
  async function verified(request: IncomingMessage): Promise<{ context: VerifiedContext; message: unknown }> {
    const { method = '', url = '', rawHeaders } = request
    const head = verifier.verifyHead({ method, url, rawHeaders })
    // Nobody inside the trust domain is a web page, unless it was said which one.
    const { origin } = request.headers
    if (origin !== undefined && !origins.includes(origin)) throw new AppError('ORIGIN_REFUSED')
    const body = await read(request, head.contentLength)
    const verifiedBody = head.verifyBody(body)
    const message = parse(body)
    const type = served.changes(message) ? 'mutation' : 'query'
    const context = await verifiedBody.verifyOperation(type, consume ?? (() => Promise.resolve(false)))
    return { context, message }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const { context, message } = await verified(request)
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers))
      if (passedOn.test(name) && value !== undefined) headers.set(name, String(value))
    const web = new Request(`http://${receiver}/`, { method: 'POST', headers, signal: gone.signal })
    const { identity } = context
    const {
      status,
      headers: answered,
      body,
    } = await endpoint.serve(web, message, served.of(identity), ownerOf(identity))
    const passed = passedBack.flatMap((name) => {
      const value = answered.get(name)
      return value === null ? [] : [[name, value]]
    })
    response.writeHead(status, { 'cache-control': 'no-store', ...Object.fromEntries(passed) })
    if (body === null) response.end()
    else await pipeline(Readable.fromWeb(body), response)
  }

  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      const known = error instanceof AppError ? error : new AppError('INTERNAL', undefined, { cause: error })
      const { code, message, status, cause } = known
      const txn = error instanceof ContextError ? error.txn : null
      onRefused?.({ code, reason: cause instanceof Error ? cause.message : String(cause ?? ''), txn })
      if (response.headersSent) return void response.destroy()
      const body = { jsonrpc: '2.0', id: null, error: { code: -32000, message, data: { code } } }
      response
        .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', connection: 'close' })
        .end(JSON.stringify(body))
    })
  })

  return {
    listen: ({ port, host = '127.0.0.1' }) => listening(server, port, host),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // What was being answered is told to go, and its connection after it.
      server.keepAliveTimeout = 1
      await endpoint.close()
      server.closeIdleConnections()
      await closed
    },
  }
}

/** What the protocol is about; the context token is not among it. */
const passedOn = /^(content-type|accept|mcp-.+)$/
const passedBack = ['content-type', 'mcp-session-id']

/** Whoever is nobody cannot be told apart from the next one, and has no session. */
function ownerOf({ subject, tenant, client, actor }: Identity): SessionOwner | null {
  if (subject === anonymousSubject) return null
  return { subject: JSON.stringify([tenant, subject]), caller: JSON.stringify([tenant, subject, client, actor?.agent]) }
}

async function read(request: IncomingMessage, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  if (body.length !== length) throw new AppError('BAD_REQUEST')
  return body
}

function parse(body: Buffer): unknown {
  try {
    const message: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
    if (typeof message === 'object' && message !== null && !Array.isArray(message)) return message
  } catch {
    // A parser's message quotes what was sent.
  }
  throw new AppError('BAD_REQUEST', errorTable.BAD_REQUEST.message)
}

function listening(server: HttpServer, port: number, host: string): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve({ url: `http://${host}:${(server.address() as AddressInfo).port}` })
    })
  })
}
