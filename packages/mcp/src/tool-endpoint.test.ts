import { setImmediate } from 'node:timers/promises'
import type { McpOutcome, ToolDefinition } from '@behalf/identity'
import { describe, expect, it } from 'vitest'
import { createMcpEndpoint } from './mcp-endpoint.ts'

const outputSchema = {
  type: 'object',
  properties: { order: { type: ['object', 'null'], properties: { id: { type: 'string' } }, required: ['id'] } },
  required: ['order'],
  additionalProperties: false,
}
const tool = (name: string): ToolDefinition => ({
  name,
  title: `Title of ${name}`,
  description: `What ${name} does.`,
  inputSchema: { type: 'object', properties: {}, additionalProperties: false },
  outputSchema,
  operation: '',
  bindings: [],
  scopes: [],
  policies: [],
  readOnly: name.startsWith('get'),
  approval: name.startsWith('get') ? null : 'cancelOrder',
  summary: null,
  examples: [],
  version: 'v',
})

type Message = Record<string, any> // oxlint-disable-line typescript/no-explicit-any

/** Asks an endpoint of these tools, as 2026-07-28 or as 2025-11-25 has it. */
function endpointOf(names: readonly string[], outcome: McpOutcome | null | Error = null, pageSize?: number) {
  const endpoint = createMcpEndpoint({
    name: 'test',
    version: '1',
    instructions: 'Be brief.',
    ...(pageSize && { pageSize }),
  })
  return async (method: string, params: object = {}, legacy = false): Promise<Message> => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': legacy ? '2025-11-25' : '2026-07-28',
      ...(!legacy && { 'mcp-method': method }),
      ...(!legacy && 'name' in params && { 'mcp-name': String(params.name) }),
    }
    const message = { jsonrpc: '2.0', id: 1, method, params: legacy ? params : { ...params, _meta } }
    const request = { method: 'POST', headers, signal: new AbortController().signal }
    const { body } = await endpoint.serve(request, message, {
      txn: 'txn_1',
      list: () => names.map(tool),
      async call() {
        // As what is decided after a look into a database.
        await setImmediate()
        if (outcome instanceof Error) throw outcome
        return outcome
      },
    })
    const text = await new Response(body).text()
    return JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text) as Message
  }
}
const done = (result: unknown, truncated = false): McpOutcome => ({ ok: true, result, truncated, outputSchema })

describe('the list of tools', () => {
  it.each([false, true])('is in the order of names, page by page, each tool once (2025-11-25: %s)', async (legacy) => {
    const names = Array.from({ length: 7 }, (_, index) => `get_${(index * 3) % 7}`)
    const ask = endpointOf(names, null, 3)
    const pages: string[][] = []
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const { result } = await ask('tools/list', cursor === undefined ? {} : { cursor }, legacy)
      pages.push(result.tools.map(({ name }: Message) => name))
      cursor = result.nextCursor
    }
    expect(pages).toEqual([['get_0', 'get_1', 'get_2'], ['get_3', 'get_4', 'get_5'], ['get_6']])
  })

  it('has no page after a cursor that is none of ours', async () => {
    const ask = endpointOf(['get_1', 'get_2'], null, 1)
    const { result } = await ask('tools/list')
    expect((await ask('tools/list', { cursor: result.nextCursor })).result.tools).toHaveLength(1)
    for (const cursor of ['', '!', 'Z2V0XzF=', `${result.nextCursor}=`])
      expect(await ask('tools/list', { cursor })).toMatchObject({ error: { code: -32602 } })
  })

  it('says what a tool is, without how it is run', async () => {
    const { result } = await endpointOf(['cancel_order', 'get_order'])('tools/list')
    expect(result).toMatchObject({ ttlMs: 30_000, cacheScope: 'private' })
    expect(result.tools).toEqual([
      {
        name: 'cancel_order',
        title: 'Title of cancel_order',
        description: 'What cancel_order does.',
        inputSchema: tool('').inputSchema,
        outputSchema,
        annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
        _meta: { 'dev.behalf/requiresApproval': true },
      },
      expect.objectContaining({
        annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
        _meta: { 'dev.behalf/requiresApproval': false },
      }),
    ])
  })
})

describe('the result of a call', () => {
  const call = (outcome: McpOutcome | null | Error, legacy = false) =>
    endpointOf(['get_order'], outcome)('tools/call', { name: 'get_order', arguments: {} }, legacy)

  it.each([false, true])('is structured and text, with its transaction (2025-11-25: %s)', async (legacy) => {
    const { result } = await call(done({ order: { id: 'ord_1' } }), legacy)
    expect(result).toMatchObject({
      structuredContent: { order: { id: 'ord_1' } },
      content: [{ type: 'text', text: '{"order":{"id":"ord_1"}}' }],
      _meta: { 'dev.behalf/txn': 'txn_1' },
    })
    expect(result.isError).toBeUndefined()
  })

  it('says where items were left out', async () => {
    const { result } = await call(done({ order: null }, true))
    expect(result).toMatchObject({
      structuredContent: { order: null },
      content: [{ type: 'text' }, { text: expect.stringContaining('next page') }],
    })
  })

  it.each([{ order: { id: 1 } }, { order: {} }, {}, { order: null, more: 1 }, null, [], 'x'])(
    'is not what its schema does not say: %j',
    async (wrong) => {
      const { result } = await call(done(wrong))
      expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('TOOL_FAILED') }] })
      expect(result).not.toHaveProperty('structuredContent')
    },
  )

  it('of a call that failed is its code and a sentence', async () => {
    const error = { code: 'TOOL_ARGUMENTS_INVALID', message: 'The arguments do not fit: "id" is missing.' }
    const { result } = await call({ ok: false, error })
    expect(result).toMatchObject({ isError: true, content: [{ text: `${error.code}: ${error.message}` }] })
  })

  it('of a tool that there is not is an error of the protocol', async () => {
    expect(await call(null)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: { code: -32602, message: 'There is no tool of that name.' },
    })
  })

  it.each([false, true])('is none where the request as a whole is refused (2025-11-25: %s)', async (legacy) => {
    const refusal = new Error('more scopes')
    await expect(call(refusal, legacy)).rejects.toBe(refusal)
  })
})

it('there is nothing to listen to', async () => {
  const ask = endpointOf([])
  expect(await ask('subscriptions/listen', { notifications: {} })).toMatchObject({ error: { code: -32603 } })
  expect((await ask('server/discover')).result).toMatchObject({
    capabilities: { tools: {} },
    instructions: 'Be brief.',
    supportedVersions: ['2026-07-28'],
  })
  const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }
  expect((await ask('initialize', initialize, true)).result).toMatchObject({ protocolVersion: '2025-11-25' })
})
