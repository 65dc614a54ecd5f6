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
  const { date, 'content-length': size, 'content-type': type = '', 'transfer-encoding': chunked, ...others } = answered
  expect(date).toBeDefined()
  // The framework has no length to say of a stream.
  const isStream = chunked !== undefined && !lengthSaid && type.startsWith('text/event-stream')
  expect([chunked, Number(size)]).toEqual(
    isStream ? ['chunked', Number.NaN] : [undefined, Buffer.byteLength(rest.text)],
  )
  // What is not of its moment, and without the one encoding that JSON has: the framework says it of texts, as it says of what is
  // empty that it is plain.
  const lasting = rest.text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'txn')
  const named = rest.text === '' ? '' : type.replace('; charset=utf-8', '')
  return { ...rest, text: lasting, headers: { ...others, 'content-type': named } }
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

const message = (method: string, params: unknown = {}) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })

it.each<[string, number, string, () => Promise<Record<string, string>>]>([
  ['a call', 200, message('tools/call', { name: 'list_orders', arguments: {} }), token],
  ['a call of what there is not', 200, message('tools/call', { name: 'none' }), token],
  ['arguments that do not fit', 200, message('tools/call', { name: 'cancel_order', arguments: { x: 1 } }), token],
  ['what has to be approved', 200, message('tools/call', { name: 'cancel_order', arguments: { id: 'o_9' } }), token],
  ['the list', 200, message('tools/list'), token],
  ['what there is not', 200, message('none/such'), token],
  ['that it has begun', 202, JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }), token],
  ['the beginning, once more', 200, message('initialize', beginning()), token],
  ['what asks for a stream without an end', 200, message('subscriptions/listen'), token],
  ['one that does not accept events', 406, message('tools/list'), async () => ({ ...(await token()), accept: '*/*' })],
  ['what is no JSON', 400, '{', token],
  ['a list of them', 400, '[]', token],
  ['nobody’s', 401, message('tools/call', { name: 'list_orders' }), async () => ({})],
  [
    'a token that lacks a scope',
    403,
    message('tools/call', { name: 'list_orders' }),
    () => token({ scope: 'profile' }),
  ],
])('what is sent as of 2025-11-25 is answered as by that route: %s', async (_name, status, body, more) => {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-11-25',
    ...(await more()),
  }
  const byFramework = await post(body, headers, false)
  expect(byFramework.status).toBe(status)
  expect(await post(body, headers, true)).toEqual(byFramework)
})

function beginning() {
  return { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
}
