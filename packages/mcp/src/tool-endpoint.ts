import {
  type CallToolResult,
  createMcpHandler,
  type InputRequiredResult,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server'
import { createToolSessions, type SessionLimits, type SessionOwner } from './tool-sessions.ts'

/** Tools of one caller, in one request. */
export interface OfferedTools {
  list(): readonly Tool[] | Promise<readonly Tool[]>
  /** Null where there is no such tool for this caller. What it rejects with, the request ends with. */
  call(name: string, given: unknown, context: ServerContext): Promise<CallToolResult | InputRequiredResult | null>
}

export interface ServerDescription {
  readonly name: string
  readonly version: string
  /** For a model that uses the tools. */
  readonly instructions?: string | undefined
  /** Tools on one page of the list. Default 100. */
  readonly pageSize?: number | undefined
  /** Reads what a client carries between two rounds of a call, and throws unless it is what it was given. */
  readonly verifyState?: ((state: string) => unknown) | undefined
  /** Adds to what is served beside tools, for each request. */
  readonly extend?: ((server: Server) => void) | undefined
  /** Sessions for clients of 2025-11-25, in which a tool can ask its user something. Default: none. */
  readonly sessions?: SessionLimits | undefined
  readonly clock?: (() => number) | undefined
}

export interface ToolEndpoint {
  /** Rejects with what `tools` rejected with. */
  serve(request: Request, body: unknown, tools: OfferedTools, owner?: SessionOwner | null): Promise<Response>
  close(): Promise<void>
}

/** One answer for a tool that there is not and for one that is not for this caller: nothing tells them apart. */
const noSuchTool = () => new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no tool of that name.')

/**
 * MCP over HTTP for revisions 2026-07-28 and 2025-11-25: each request is answered by a server of its own, and nothing is kept
 * between them, unless there are sessions. Who calls, and what they may do, is not known here, and each request brings it.
 */
export function createToolEndpoint(description: ServerDescription): ToolEndpoint {
  const { name, version, instructions, pageSize = 100, verifyState, extend, clock = Date.now } = description
  const exchanges = new WeakMap<Request, Exchange>()

  /** That of the request which is answered, whatever session it is in. */
  function exchangeOf({ http }: ServerContext): Exchange {
    const exchange = http?.req && exchanges.get(http.req)
    if (!exchange) throw new TypeError('A request is served that nobody was let in with.')
    return exchange
  }

  function createServer(): Server {
    const server = new Server(
      { name, version },
      {
        capabilities: { tools: {} },
        ...(instructions !== undefined && { instructions }),
        ...(verifyState && { requestState: { verify: verifyState } }),
        // Of one caller: whoever else is asked on the way must not keep it for another.
        cacheHints: { 'tools/list': { ttlMs: listAge, cacheScope: 'private' } },
      },
    )
    // The texts of what is thrown here would be told to the client; of the protocol's own errors they are meant to be.
    const guarded = async <T>(context: ServerContext, work: (tools: OfferedTools) => T | Promise<T>) => {
      const { tools, fail } = exchangeOf(context)
      try {
        return await work(tools)
      } catch (error) {
        if (error instanceof ProtocolError) throw error
        return fail(error)
      }
    }
    server.setRequestHandler('tools/list', async ({ params }, context) =>
      page(await guarded(context, (tools) => tools.list()), params?.cursor, pageSize),
    )
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const result = await guarded(context, (tools) => tools.call(params.name, params.arguments ?? {}, asking(context)))
      if (result === null) throw noSuchTool()
      return result
    })
    extend?.(server)
    return server
  }

  // There is nothing to listen to unless something was added.
  const handler = createMcpHandler(createServer, { ...(extend === undefined && { maxSubscriptions: 0 }) })
  const sessions = description.sessions && createToolSessions({ limits: description.sessions, createServer, clock })

  return {
    async serve(request, body, tools, owner = null) {
      const failures: unknown[] = []
      exchanges.set(request, {
        tools,
        fail(error) {
          failures.push(error)
          throw new ProtocolError(ProtocolErrorCode.InternalError, 'Not answered.')
        },
      })
      const inSession = sessions && owner && (await sessions.serve(request, body, owner))
      const response = await begun(inSession ?? (await handler.fetch(request, { parsedBody: body })))
      if (failures.length > 0) {
        await response.body?.cancel()
        throw failures[0]
      }
      return response
    },
    async close() {
      await sessions?.close()
      await handler.close()
    },
  }
}

/** What a call asks of its client goes where its answer will: there is no other stream, on which the SDK would send it. */
function asking(context: ServerContext): ServerContext {
  const { mcpReq } = context
  const here = { relatedRequestId: mcpReq.id }
  return {
    ...context,
    mcpReq: {
      ...mcpReq,
      elicitInput: (params, options) => mcpReq.elicitInput(params, { ...options, ...here }),
      requestSampling: (params, options) => mcpReq.requestSampling(params, { ...options, ...here }),
    },
  }
}

interface Exchange {
  readonly tools: OfferedTools
  readonly fail: (error: unknown) => never
}

/** Milliseconds for which a client need not ask again: what it may call is decided when it does. */
const listAge = 30_000

/** By name, so that it is the same whenever it is asked for; a page begins after the name that the last one ended with. */
function page(
  tools: readonly Tool[],
  cursor: string | undefined,
  size: number,
): { tools: Tool[]; nextCursor?: string } {
  const sorted = tools.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const after = cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString()
  if (cursor !== undefined && (after === '' || cursorOf(after) !== cursor))
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'The cursor is none of ours.')
  const rest = sorted.filter(({ name }) => name > after)
  const shown = rest.slice(0, size)
  const last = shown.at(-1)
  return { tools: shown, ...(last && rest.length > size && { nextCursor: cursorOf(last.name) }) }
}

const cursorOf = (name: string) => Buffer.from(name).toString('base64url')

/** Once it is known what it begins with: an event stream is there before anything was done. */
async function begun(response: Response): Promise<Response> {
  const { body, headers, status } = response
  if (body === null || !headers.get('content-type')?.startsWith('text/event-stream')) return response
  const reader = body.getReader()
  let first: Awaited<ReturnType<typeof reader.read>> | null = await reader.read()
  const whole = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = first ?? (await reader.read())
      first = null
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
  return new Response(whole, { headers, status })
}
