import type { McpRequest } from '@behalf/identity'
import {
  classifyInboundRequest,
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  isJsonContentType,
  PROTOCOL_VERSION_META_KEY,
} from '@modelcontextprotocol/server'
import { LRUCache } from 'lru-cache'

/** A call of a tool that says nothing but which one, with which arguments. */
export interface PlainCall {
  readonly id: string | number
  readonly name: string
  readonly given: unknown
  /** Whether it is of 2026-07-28; if not, it is of 2025-11-25 or the one before, and belongs to no session. */
  readonly isModern: boolean
}

/** Null for every other request, of which the protocol has more to read, or to say what is wrong with it. */
export type ReadPlainCall = (request: Pick<McpRequest, 'method' | 'headers'>, body: unknown) => PlainCall | null

const revision = '2026-07-28'
/** Revisions whose calls are the same, and are answered by a stream of one event. */
const earlier: ReadonlySet<string | undefined> = new Set(['2025-11-25', '2025-06-18'])
const method = 'tools/call'
/** Names that are in a header as they are, and not encoded. */
const plainName = /^[\w./-]+$/
/** Of the protocol's own members of `_meta`. */
const ownPrefix = 'io.modelcontextprotocol/'
const read: ReadonlySet<string> = new Set([
  PROTOCOL_VERSION_META_KEY,
  CLIENT_INFO_META_KEY,
  CLIENT_CAPABILITIES_META_KEY,
])
/** Characters of what a client says of itself, of which what the protocol says is kept. */
const maxClient = 2000

/** Recognises calls as nearly all are, without the schemas that the protocol's SDK looks through for each message. */
export function createReadPlainCall(): ReadPlainCall {
  /** Whether the SDK takes what clients say of themselves, who say the same with each call. */
  const clients = new LRUCache<string, boolean>({ max: 500 })
  function isKnownClient(client: Members): boolean {
    const key = JSON.stringify(client)
    if (key.length > maxClient) return false
    let isGood = clients.get(key)
    if (isGood === undefined) clients.set(key, (isGood = isTaken(client)))
    return isGood
  }

  function isModern({ headers }: Pick<McpRequest, 'headers'>, { name, _meta: meta }: Members): boolean {
    if (headers['mcp-protocol-version'] !== revision || headers['mcp-method'] !== method) return false
    if (name !== headers['mcp-name'] || !isObject(meta) || meta[PROTOCOL_VERSION_META_KEY] !== revision) return false
    if (Object.keys(meta).some((key) => key.startsWith(ownPrefix) && !read.has(key))) return false
    const { [CLIENT_INFO_META_KEY]: info, [CLIENT_CAPABILITIES_META_KEY]: capabilities } = meta
    return isKnownClient({ [CLIENT_INFO_META_KEY]: info, [CLIENT_CAPABILITIES_META_KEY]: capabilities })
  }

  return (request, body) => {
    const { headers } = request
    if (request.method !== 'POST' || !isJsonContentType(headers['content-type'] ?? null)) return null
    if (!isObject(body) || Object.keys(body).length !== 4) return null
    const { jsonrpc, id, params } = body
    if (jsonrpc !== '2.0' || !isId(id) || body['method'] !== method || !isObject(params)) return null
    const { name, arguments: given = {}, _meta: meta = {} } = params
    if (typeof name !== 'string' || !plainName.test(name)) return null
    // Answers to what was asked in an earlier round, and whatever else there may be.
    if (Object.keys(params).some((key) => key !== 'name' && key !== 'arguments' && key !== '_meta')) return null
    if (!isObject(given) || Object.hasOwn(given, '__proto__')) return null
    if (!isObject(meta) || Object.hasOwn(meta, '__proto__')) return null
    const { progressToken } = meta
    if (!(progressToken === undefined || isId(progressToken))) return null
    if (isModern(request, params)) return { id, name, given, isModern: true }
    return isEarlier(request, meta) ? { id, name, given, isModern: false } : null
  }
}

type Members = Readonly<Record<string, unknown>>

/** Without an envelope, which calls of today have, and accepting what they are answered with. */
function isEarlier({ headers }: Pick<McpRequest, 'headers'>, meta: Members): boolean {
  const { accept = '' } = headers
  if (!earlier.has(headers['mcp-protocol-version']) || !acceptsBoth.test(accept)) return false
  return !Object.keys(meta).some((key) => key.startsWith(ownPrefix))
}
/** As every client has to (2025-11-25, Streamable HTTP, "Sending Messages to the Server"), and of none of them less. */
const acceptsBoth = /^(application\/json, ?text\/event-stream|text\/event-stream, ?application\/json)$/

/** As the SDK reads it, in a call in which everything else is right. */
function isTaken(client: Members): boolean {
  const params = { name: 'x', _meta: { [PROTOCOL_VERSION_META_KEY]: revision, ...client } }
  const { kind } = classifyInboundRequest({
    httpMethod: 'POST',
    protocolVersionHeader: revision,
    mcpMethodHeader: method,
    mcpNameHeader: params.name,
    body: { jsonrpc: '2.0', id: 0, method, params },
  })
  return kind === 'modern'
}

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isId = (value: unknown): value is string | number => typeof value === 'string' || Number.isSafeInteger(value)
