import type { McpRequest } from '@behalf/identity'
import {
  classifyInboundRequest,
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  isJsonContentType,
  PROTOCOL_VERSION_META_KEY,
} from '@modelcontextprotocol/server'
import { LRUCache } from 'lru-cache'

/** A call of 2026-07-28 that says nothing but which tool, with which arguments. */
export interface PlainCall {
  readonly id: string | number
  readonly name: string
  readonly given: unknown
}

/** Null for every other request, of which the protocol has more to read, or to say what is wrong with it. */
export type ReadPlainCall = (request: Pick<McpRequest, 'method' | 'headers'>, body: unknown) => PlainCall | null

const revision = '2026-07-28'
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
  function isKnownClient(client: Readonly<Record<string, unknown>>): boolean {
    const key = JSON.stringify(client)
    if (key.length > maxClient) return false
    let isGood = clients.get(key)
    if (isGood === undefined) clients.set(key, (isGood = isTaken(client)))
    return isGood
  }

  return (request, body) => {
    const { headers } = request
    if (request.method !== 'POST' || !isJsonContentType(headers['content-type'] ?? null)) return null
    if (headers['mcp-protocol-version'] !== revision || headers['mcp-method'] !== method) return null
    if (!isObject(body) || Object.keys(body).length !== 4) return null
    const { jsonrpc, id, params } = body
    if (jsonrpc !== '2.0' || !isId(id) || body['method'] !== method || !isObject(params)) return null
    const { name, arguments: given = {}, _meta: meta } = params
    if (typeof name !== 'string' || name !== headers['mcp-name'] || !plainName.test(name)) return null
    // Answers to what was asked in an earlier round, and whatever else there may be.
    if (Object.keys(params).length !== (Object.hasOwn(params, 'arguments') ? 3 : 2)) return null
    if (!isObject(given) || Object.hasOwn(given, '__proto__') || !isObject(meta)) return null
    const { progressToken, [PROTOCOL_VERSION_META_KEY]: version } = meta
    if (version !== revision || !(progressToken === undefined || isId(progressToken))) return null
    if (Object.keys(meta).some((key) => key === '__proto__' || (key.startsWith(ownPrefix) && !read.has(key))))
      return null
    const { [CLIENT_INFO_META_KEY]: info, [CLIENT_CAPABILITIES_META_KEY]: capabilities } = meta
    const client = { [CLIENT_INFO_META_KEY]: info, [CLIENT_CAPABILITIES_META_KEY]: capabilities }
    return isKnownClient(client) ? { id, name, given } : null
  }
}

/** As the SDK reads it, in a call in which everything else is right. */
function isTaken(client: Readonly<Record<string, unknown>>): boolean {
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

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isId = (value: unknown): value is string | number => typeof value === 'string' || Number.isSafeInteger(value)
