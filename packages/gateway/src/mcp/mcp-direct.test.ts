import { type IncomingHttpHeaders, request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type McpGateway, startMcpGateway } from '../fixtures/mcp-gateway.ts'

let gateway: McpGateway
beforeAll(async () => {
  gateway = await startMcpGateway({ limits: { bodyBytes: 16_384 } })
})
afterAll(() => gateway[Symbol.asyncDispose]())

/** @param lengthSaid - whether it says how long it is: what does not is for the framework. */
async function post(body: string, headers: Readonly<Record<string, string>>, lengthSaid: boolean) {
  const length = lengthSaid ? { 'content-length': String(Buffer.byteLength(body)) } : { 'transfer-encoding': 'chunked' }
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number
    headers: IncomingHttpHeaders
    text: string
  }>()
  const sent = httpRequest(
    new URL('/mcp', gateway.url),
    { method: 'POST', headers: { ...headers, ...length } },
    (answer) => {
      const { statusCode: status = 0, headers: answered } = answer
      text(answer).then((content) => resolve({ status, headers: answered, text: content }), reject)
    },
  )
  sent.on('error', reject).end(body)
  const { headers: answered, ...rest } = await promise
  const { date, 'content-length': size, 'content-type': type = '', ...others } = answered
  expect(date).toBeDefined()
  expect(Number(size)).toBe(Buffer.byteLength(rest.text))
  // What is not of its moment, and without the one encoding that JSON has: the framework says it of texts.
  const lasting = rest.text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'txn')
  return { ...rest, text: lasting, headers: { ...others, 'content-type': type.replace('; charset=utf-8', '') } }
}

const prefix = 'io.modelcontextprotocol/'
const call = (name: string, given: unknown = {}) =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name,
      arguments: given,
      _meta: { [`${prefix}protocolVersion`]: '2026-07-28', [`${prefix}clientCapabilities`]: {} },
    },
  })
const token = async (claims: Record<string, unknown> = {}) => ({
  authorization: `Bearer ${await gateway.mcpToken(claims)}`,
})

it.each<[string, number, string, string, () => Promise<Record<string, string>>]>([
  ['a call', 200, 'list_orders', call('list_orders'), token],
  ['a call of what there is not', 200, 'none', call('none'), token],
  ['arguments that do not fit', 200, 'cancel_order', call('cancel_order', { x: 1 }), token],
  ['what has to be approved', 200, 'cancel_order', call('cancel_order', { id: 'ord_9' }), token],
  ['another name in the head', 400, 'cancel_order', call('list_orders'), token],
  ['what is no JSON', 400, 'list_orders', '{', token],
  ['a list', 400, 'list_orders', '[]', token],
  ['what is too large', 413, 'list_orders', call('list_orders', { x: 'x'.repeat(17_000) }), token],
  ['nobody’s', 401, 'list_orders', call('list_orders'), async () => ({})],
  ['a token for another resource', 401, 'list_orders', call('list_orders'), () => token({ aud: 'https://x.test' })],
  ['a token that lacks a scope', 403, 'list_orders', call('list_orders'), () => token({ scope: 'profile' })],
  [
    'a web page’s',
    403,
    'list_orders',
    call('list_orders'),
    async () => ({ ...(await token()), origin: 'https://x.test' }),
  ],
  ['another host’s', 403, 'list_orders', call('list_orders'), async () => ({ ...(await token()), host: 'x.test' })],
  [
    'a compressed one',
    415,
    'list_orders',
    call('list_orders'),
    async () => ({ ...(await token()), 'content-encoding': 'gzip' }),
  ],
])('a call is answered as by the route that has everything else: %s', async (_name, status, named, body, more) => {
  const headers = {
    'content-type': 'application/json',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': named,
    ...(await more()),
  }
  const byFramework = await post(body, headers, false)
  expect(byFramework.status).toBe(status)
  expect(await post(body, headers, true)).toEqual(byFramework)
})

it('an answer that is a stream is sent as a whole', async () => {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-method': 'tools/call',
    'mcp-protocol-version': '2025-11-25',
    ...(await token()),
  }
  const params = { name: 'list_orders', arguments: {} }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
  const answer = await post(body, headers, true)
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/event-stream' } })
  expect(answer.text).toMatch(/^event: message\ndata: {"result":{.*"structuredContent":.*\n\n$/)
})
