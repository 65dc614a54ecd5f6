import { randomBytes } from 'node:crypto'
import { AppError } from '@behalf/identity'
import {
  isInitializeRequest,
  isJSONRPCRequest,
  isLegacyRequest,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'

/** Bounds of sessions of 2025-11-25, which are kept in the memory of one process. */
export interface SessionLimits {
  /** Of everybody at once. Default 1000. */
  readonly total?: number
  /** Of one subject. Default 10. */
  readonly perSubject?: number
  /** Milliseconds without a message, after which a session has ended. Default 10 minutes. */
  readonly idleMs?: number
}

/** Whom a session is of. Its id only says which one: who asks says each request for itself. */
export interface SessionOwner {
  readonly subject: string
  /** Subject, tenant, client and actor, as one text. */
  readonly caller: string
}

export interface ToolSessions {
  /** Null for what belongs to no session: it is answered by itself. @throws {AppError} `RATE_LIMITED` at a bound */
  serve(request: Request, body: unknown, owner: SessionOwner): Promise<Response | null>
  close(): Promise<void>
}

interface Session {
  readonly id: string
  readonly owner: SessionOwner
  readonly server: Server
  readonly transport: WebStandardStreamableHTTPServerTransport
  lastUsed: number
}

/**
 * Sessions in which a tool can ask its user something (2025-11-25, Streamable HTTP, "Session Management"). Another caller's
 * session does not exist: the answer is the one for an id that nobody was given.
 *
 * @param options.createServer - makes what answers in a session, where each request is told apart by its `Request`
 */
export function createToolSessions(options: {
  readonly limits: SessionLimits
  readonly createServer: () => Server
  readonly clock: () => number
}): ToolSessions {
  const { limits, createServer, clock } = options
  const { total = 1000, perSubject = 10, idleMs = 10 * 60_000 } = limits
  const sessions = new Map<string, Session>()

  async function end(id: string): Promise<void> {
    const session = sessions.get(id)
    sessions.delete(id)
    await session?.transport.close()
  }

  async function endIdle(): Promise<void> {
    const since = clock() - idleMs
    await Promise.all([...sessions].filter(([, { lastUsed }]) => lastUsed < since).map(([id]) => end(id)))
  }

  /** A caller's own oldest makes room for their next one; nobody makes room for another. */
  function makeRoom({ subject, caller }: SessionOwner): Promise<void> {
    const ofSubject = [...sessions].filter(([, { owner }]) => owner.subject === subject)
    if (ofSubject.length < perSubject && sessions.size < total) return Promise.resolve()
    const mine = ofSubject.filter(([, { owner }]) => owner.caller === caller)
    const [oldest] = mine.toSorted(([, a], [, b]) => a.lastUsed - b.lastUsed)
    if (!oldest) throw new AppError('RATE_LIMITED')
    return end(oldest[0])
  }

  async function begin(owner: SessionOwner): Promise<Session> {
    const room = makeRoom(owner)
    const id = randomBytes(24).toString('base64url')
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => id })
    const session = { id, owner, transport, server: createServer(), lastUsed: clock() }
    // Before anything is waited for: nobody else is given the same place.
    sessions.set(id, session)
    await room
    await session.server.connect(transport)
    return session
  }

  return {
    async serve(request, body, owner) {
      if (!(await isLegacyRequest(request, body))) return null
      await endIdle()
      const id = request.headers.get('mcp-session-id')
      if (id === null && !isInitializeRequest(body)) return null
      const session = id === null ? await begin(owner) : sessions.get(id)
      if (session?.owner.caller !== owner.caller) throw new AppError('NOT_FOUND')
      session.lastUsed = clock()
      // There is no second stream on which a call could still be answered: whoever goes away has given it up.
      if (isJSONRPCRequest(body))
        request.signal.addEventListener('abort', () => {
          const params = { requestId: body.id, reason: 'The client went away.' }
          session.transport.onmessage?.({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
        })
      const response = await session.transport.handleRequest(request, { parsedBody: body })
      // Of what could not be answered there is no session.
      if (id === null && !response.ok) await end(session.id)
      return response
    },
    async close() {
      await Promise.all([...sessions.keys()].map(end))
    },
  }
}
