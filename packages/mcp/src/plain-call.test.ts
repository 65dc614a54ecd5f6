import { setImmediate } from 'node:timers/promises'
import type { McpAnswer, McpOutcome, McpRequest } from '@behalf/identity'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createResultOf } from './call-result.ts'
import { createMcpEndpoint } from './mcp-endpoint.ts'
import { createReadPlainCall } from './plain-call.ts'
import { createSdkEndpoint } from './sdk-endpoint.ts'

const description = { name: 'test', version: '1', instructions: 'Be brief.' }
const own = createMcpEndpoint(description)
const sdk = createSdkEndpoint(description, createResultOf())
const readPlainCall = createReadPlainCall()

const outputSchema = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] }
const done: McpOutcome = { ok: true, result: { text: 'Grüße \u2028 "😀"' }, truncated: false, outputSchema }
const refused: McpOutcome = { ok: false, error: { code: 'TOOL_ARGUMENTS_INVALID', message: '"id" is missing.' } }
const asked = (state: string | null): McpOutcome => ({
  ok: false,
  error: { code: 'APPROVAL_REQUIRED', message: 'The user is asked.' },
  approval: {
    id: 'apr_1',
    argumentsHash: 'h',
    summary: 'Cancel order 1',
    expiresAt: '2026-12-01T00:00:00Z',
    decideAt: 'https://x.test/decide?approval=apr_1',
    state,
  },
})

const prefix = 'io.modelcontextprotocol/'
const said = {
  [`${prefix}protocolVersion`]: '2026-07-28',
  [`${prefix}clientInfo`]: { name: 'test', version: '1' },
  [`${prefix}clientCapabilities`]: {} as object,
}
const headers: Record<string, string> = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'get_order',
}
type Json = Record<string, unknown>
interface Change {
  readonly method?: string
  /** Undefined: without it. */
  readonly headers?: Record<string, string | undefined>
  readonly message?: Json
  readonly params?: Json
  readonly meta?: Json
  /** In place of all of it. */
  readonly body?: unknown
}
const without = (members: Json): Json =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
function make(change: Change, signal = new AbortController().signal): { request: McpRequest; body: unknown } {
  const { method = 'POST', body } = change
  const _meta = without({ ...said, ...change.meta })
  const params = without({ name: 'get_order', arguments: { id: 'o1' }, _meta, ...change.params })
  const message = without({ jsonrpc: '2.0', id: 1, method: 'tools/call', params, ...change.message })
  const sent = without({ ...headers, ...change.headers }) as McpRequest['headers']
  // As it was parsed: members that are called as those of prototypes are, too.
  const parsed: unknown = JSON.parse(JSON.stringify(message))
  return { request: { method, headers: sent, signal }, body: 'body' in change ? body : parsed }
}

async function answerOf(
  endpoint: typeof own,
  { request, body }: ReturnType<typeof make>,
  outcome: McpOutcome | null | Error,
) {
  const calls: unknown[] = []
  const tools = {
    txn: 'txn_1',
    list: () => [],
    async call(name: string, given: unknown, { signal, state }: { signal: AbortSignal; state: string | null }) {
      calls.push({ name, given, state, isAborted: signal.aborted })
      await setImmediate()
      if (outcome instanceof Error) throw outcome
      return outcome
    },
  }
  const answer: McpAnswer | { error: unknown } = await endpoint
    .serve(request, body, tools)
    .catch((error: unknown) => ({ error }))
  if ('error' in answer) return { ...answer, calls }
  const text = typeof answer.body === 'string' ? answer.body : await new Response(answer.body).text()
  const [, event] = /^event: message\ndata: ([^\n]*)\n\n$/.exec(text) ?? []
  return {
    ...answer,
    body: text.startsWith('{') ? (JSON.parse(text) as unknown) : event ? [JSON.parse(event)] : text,
    calls,
  }
}

/** @returns what both answered */
async function bothAnswer(change: Change, outcome: McpOutcome | null | Error = done) {
  const answered = await answerOf(own, make(change), outcome)
  expect(answered).toEqual(await answerOf(sdk, make(change), outcome))
  return answered
}
const isPlain = (change: Change) => {
  const { request, body } = make(change)
  return readPlainCall(request, body) !== null
}

describe('a call that needs nothing of the protocol but its form', () => {
  const plain: [string, Change][] = [
    ['a call', {}],
    ['a name as an id', { message: { id: 'a "call"' } }],
    ['an empty id', { message: { id: '' } }],
    ['zero as an id', { message: { id: 0 } }],
    ['a negative id', { message: { id: -(2 ** 53) + 1 } }],
    ['no arguments', { params: { arguments: undefined } }],
    [
      'arguments of all kinds',
      { params: { arguments: { a: [1, { b: null }], c: 'x', toString: 1, constructor: {} } } },
    ],
    ['a client that does not say who it is', { meta: { [`${prefix}clientInfo`]: undefined } }],
    [
      'a client that can be asked',
      { meta: { [`${prefix}clientCapabilities`]: { elicitation: { url: {}, form: {} } } } },
    ],
    [
      'a client with more to say',
      { meta: { [`${prefix}clientInfo`]: { name: 'x', version: '1', title: 'X', more: 1 } } },
    ],
    ['progress', { meta: { progressToken: 'p' } }],
    ['progress by number', { meta: { progressToken: 7 } }],
    ['names of others', { meta: { 'x.example/y': { z: [1] }, traceparent: '00-1-2-01' } }],
    ['another accept', { headers: { accept: 'application/json' } }],
    ['no accept', { headers: { accept: undefined } }],
    ['a charset', { headers: { 'content-type': 'application/json; charset=utf-8' } }],
  ]
  it.each(plain)('is answered as the SDK answers it: %s', async (_name, change) => {
    expect(isPlain(change)).toBe(true)
    for (const outcome of [
      done,
      { ...done, truncated: true },
      refused,
      asked(null),
      asked('state'),
      null,
      new Error('x'),
    ])
      await bothAnswer(change, outcome)
    const { calls } = await answerOf(own, make(change), done)
    expect(calls).toHaveLength(1)
  })

  it.each([{ text: 1 }, {}, null, [], 'x', { text: '', more: { a: [0.1, -0, 1e300] } }])(
    'has the same result, or the same excuse: %j',
    async (result) => {
      const { calls } = await bothAnswer({}, { ok: true, result, truncated: false, outputSchema })
      expect(calls).toHaveLength(1)
    },
  )

  it('is made once, whatever is answered', async () => {
    const capabilities = { [`${prefix}clientCapabilities`]: { elicitation: { url: {} } } }
    const { calls, ...answered } = await answerOf(own, make({ meta: capabilities }), asked('state'))
    expect(answered).toMatchObject({ body: { result: { resultType: 'input_required', requestState: 'state' } } })
    expect(calls).toHaveLength(1)
    expect((await answerOf(own, make({}), null)).calls).toHaveLength(1)
  })

  it('whose client went away is answered to nobody', async () => {
    for (const endpoint of [own, sdk]) {
      const gone = new AbortController()
      const { request, body } = make({}, gone.signal)
      let told: AbortSignal | null = null
      const { promise: asking, resolve } = Promise.withResolvers<void>()
      const answering = endpoint.serve(request, body, {
        txn: 'txn_1',
        list: () => [],
        async call(_name, _given, { signal }) {
          told = signal
          resolve()
          await new Promise((end) => signal.addEventListener('abort', end))
          return done
        },
      })
      await asking
      gone.abort()
      expect(await answering).toMatchObject({ status: 499, body: '' })
      expect(told).toMatchObject({ aborted: true })
      expect(await answerOf(endpoint, make({}, gone.signal), done)).toMatchObject({ status: 499, calls: [] })
    }
  })
})

/** As clients that began with `initialize` send it. */
const ofBefore = (change: Change, revision = '2025-11-25'): Change => ({
  ...change,
  headers: { 'mcp-protocol-version': revision, 'mcp-method': undefined, 'mcp-name': undefined, ...change.headers },
  params: { ...change.params, ...(change.meta === undefined && { _meta: undefined }) },
  ...(change.meta && {
    meta: { ...Object.fromEntries(Object.keys(said).map((name) => [name, undefined])), ...change.meta },
  }),
})

describe('a call of the revisions before', () => {
  const outcomes = [done, { ...done, truncated: true }, refused, asked(null), asked('state'), null, new Error('x')]
  const plain: [string, Change][] = [
    ['a call', ofBefore({})],
    ['a call of the one before that', ofBefore({}, '2025-06-18')],
    ['a name as an id', ofBefore({ message: { id: 'a "call"' } })],
    ['no arguments', ofBefore({ params: { arguments: undefined } })],
    ['arguments of all kinds', ofBefore({ params: { arguments: { a: [1, { b: null }], toString: 1 } } })],
    ['progress', ofBefore({ meta: { progressToken: 'p' } })],
    ['names of others', ofBefore({ meta: { 'x.example/y': { z: [1] }, progressToken: 7 } })],
    ['nothing of it in an envelope', ofBefore({ meta: {} })],
    ['the other order of what it accepts', ofBefore({ headers: { accept: 'text/event-stream,application/json' } })],
    ['headers of today', ofBefore({ headers: { 'mcp-method': 'tools/list', 'mcp-name': 'x' } })],
  ]
  it.each(plain)('is answered as the SDK answers it: %s', async (_name, change) => {
    expect(isPlain(change)).toBe(true)
    for (const outcome of outcomes) await bothAnswer(change, outcome)
    const { calls, ...answered } = await answerOf(own, make(change), done)
    expect(answered).toMatchObject({ headers: { 'content-type': 'text/event-stream' }, body: [{ jsonrpc: '2.0' }] })
    expect(calls).toHaveLength(1)
  })

  it.each([
    { text: 1 },
    { text: '', more: { a: [0.1, -0, 1e300] } },
    null,
    [],
    'x',
    JSON.parse('{"text":"","__proto__":{"a":1}}') as unknown,
  ])('has the same result, or the same excuse: %j', async (result) => {
    for (const schema of [outputSchema, {}])
      await bothAnswer(ofBefore({}), { ok: true, result, truncated: false, outputSchema: schema })
    const { calls } = await answerOf(own, make(ofBefore({})), { ...done, result, outputSchema: {} })
    expect(calls).toHaveLength(1)
  })

  const others: [string, Change][] = [
    ['no version', ofBefore({ headers: { 'mcp-protocol-version': undefined } })],
    ['an older version', ofBefore({}, '2025-03-26')],
    ['a version that there is not', ofBefore({}, '2025-11-26')],
    ['no accept', ofBefore({ headers: { accept: undefined } })],
    ['JSON only', ofBefore({ headers: { accept: 'application/json' } })],
    ['events only', ofBefore({ headers: { accept: 'text/event-stream' } })],
    ['anything', ofBefore({ headers: { accept: '*/*' } })],
    ['events rather', ofBefore({ headers: { accept: 'application/json;q=0, text/event-stream' } })],
    ['another content type', ofBefore({ headers: { 'content-type': 'text/plain' } })],
    ['another verb', ofBefore({ method: 'GET' })],
    ['another method', ofBefore({ message: { method: 'tools/list' } })],
    ['a notification', ofBefore({ message: { id: undefined } })],
    ['a fraction as an id', ofBefore({ message: { id: 1.5 } })],
    ['something else beside it', ofBefore({ message: { more: 1 } })],
    ['a state', ofBefore({ params: { requestState: 'state' } })],
    ['a task', ofBefore({ params: { task: { ttl: 1 } } })],
    ['arguments that are nothing', ofBefore({ params: { arguments: null } })],
    ['a name with a space', ofBefore({ params: { name: 'get order' } })],
    ['an envelope that is nothing', ofBefore({ params: { _meta: null }, meta: {} })],
    ['progress that is none', ofBefore({ meta: { progressToken: {} } })],
    ['an envelope of today', ofBefore({ meta: said })],
    ['capabilities of today', ofBefore({ meta: { [`${prefix}clientCapabilities`]: { elicitation: { url: {} } } } })],
    ['a related task', ofBefore({ meta: { [`${prefix}related-task`]: { taskId: 'x' } } })],
    [
      'a prototype among the arguments',
      {
        ...ofBefore({}),
        body: JSON.parse(JSON.stringify(make(ofBefore({})).body).replace('"id":"o1"', '"__proto__":{}')),
      },
    ],
  ]
  it.each(others)('is the SDK’s where it is anything more: %s', async (_name, change) => {
    expect(isPlain(change)).toBe(false)
    for (const outcome of [done, asked('state')]) await bothAnswer(change, outcome)
  })

  it('is made once, whatever is answered', async () => {
    for (const outcome of outcomes) expect((await answerOf(own, make(ofBefore({})), outcome)).calls).toHaveLength(1)
  })
})

describe('any other is the SDK’s, and answered by it alone', () => {
  const others: [string, Change][] = [
    ['another verb', { method: 'GET' }],
    ['no content type', { headers: { 'content-type': undefined } }],
    ['another content type', { headers: { 'content-type': 'text/plain' } }],
    ['no version', { headers: { 'mcp-protocol-version': undefined } }],
    ['a version of before', { headers: { 'mcp-protocol-version': '2025-11-25' } }],
    ['a version that there is not', { headers: { 'mcp-protocol-version': '2027-01-01' } }],
    ['no method', { headers: { 'mcp-method': undefined } }],
    ['another method', { headers: { 'mcp-method': 'tools/list' } }],
    ['no name', { headers: { 'mcp-name': undefined } }],
    ['another name', { headers: { 'mcp-name': 'cancel_order' } }],
    ['the name, encoded', { headers: { 'mcp-name': '=?base64?Z2V0X29yZGVy?=' } }],
    ['a name that looks encoded', { headers: { 'mcp-name': '=?base64?eA==?=' }, params: { name: '=?base64?eA==?=' } }],
    ['a name with a space', { headers: { 'mcp-name': 'get order' }, params: { name: 'get order' } }],
    ['no JSON-RPC', { message: { jsonrpc: undefined } }],
    ['another JSON-RPC', { message: { jsonrpc: '1.0' } }],
    ['a notification', { message: { id: undefined } }],
    ['no id', { message: { id: null } }],
    ['a fraction as an id', { message: { id: 1.5 } }],
    ['an id that is no safe integer', { message: { id: 2 ** 53 } }],
    ['an object as an id', { message: { id: {} } }],
    ['something else beside it', { message: { more: 1 } }],
    ['another method in the body', { message: { method: 'tools/list' } }],
    ['no parameters', { message: { params: undefined } }],
    ['a list of parameters', { message: { params: [] } }],
    ['no name in the body', { params: { name: undefined } }],
    ['a number as a name', { params: { name: 1 } }],
    ['arguments that are a list', { params: { arguments: [] } }],
    ['arguments that are nothing', { params: { arguments: null } }],
    ['arguments that are a text', { params: { arguments: '{}' } }],
    ['an earlier round', { params: { requestState: 'state' } }],
    ['answers', { params: { inputResponses: { approval: { action: 'accept' } } } }],
    ['a task', { params: { task: { ttl: 1 } } }],
    ['no envelope', { params: { _meta: undefined } }],
    ['a list as an envelope', { params: { _meta: [] } }],
    ['an envelope that is nothing', { params: { _meta: null } }],
    ['no version in the body', { meta: { [`${prefix}protocolVersion`]: undefined } }],
    ['another version in the body', { meta: { [`${prefix}protocolVersion`]: '2025-11-25' } }],
    ['a number as a version', { meta: { [`${prefix}protocolVersion`]: 1 } }],
    ['no capabilities', { meta: { [`${prefix}clientCapabilities`]: undefined } }],
    ['capabilities that are none', { meta: { [`${prefix}clientCapabilities`]: null } }],
    ['wrong capabilities', { meta: { [`${prefix}clientCapabilities`]: { elicitation: 1 } } }],
    ['a client that is nobody', { meta: { [`${prefix}clientInfo`]: null } }],
    ['a client without a version', { meta: { [`${prefix}clientInfo`]: { name: 'x' } } }],
    ['a client with much to say', { meta: { [`${prefix}clientInfo`]: { name: 'x'.repeat(3000), version: '1' } } }],
    ['a level of logging', { meta: { [`${prefix}logLevel`]: 'info' } }],
    ['a wrong level of logging', { meta: { [`${prefix}logLevel`]: 1 } }],
    ['a related task', { meta: { [`${prefix}related-task`]: { taskId: 1 } } }],
    ['progress that is none', { meta: { progressToken: {} } }],
    [
      'a prototype among the arguments',
      { body: JSON.parse(JSON.stringify(make({}).body).replace('"id":"o1"', '"__proto__":{}')) },
    ],
    [
      'a prototype in the envelope',
      { body: JSON.parse(JSON.stringify(make({}).body).replace('"_meta":{', '"_meta":{"__proto__":{},')) },
    ],
    ['a list', { body: [make({}).body] }],
    ['nothing', { body: null }],
    ['a text', { body: 'x' }],
  ]
  it.each(others)('%s', async (_name, change) => {
    expect(isPlain(change)).toBe(false)
    await bothAnswer(change)
    await bothAnswer(change, asked('state'))
  })
})

it('whatever is changed of a call, both answer the same', async () => {
  const places: readonly (readonly ['headers' | 'message' | 'params' | 'meta', string])[] = [
    ...Object.keys(headers).map((name) => ['headers', name] as const),
    ...['jsonrpc', 'id', 'method', 'more'].map((name) => ['message', name] as const),
    ...['name', 'arguments', 'requestState', 'inputResponses', 'more'].map((name) => ['params', name] as const),
    ...[...Object.keys(said), 'progressToken', `${prefix}logLevel`, 'x.example/more'].map(
      (name) => ['meta', name] as const,
    ),
  ]
  const words = ['', 'x', '2.0', 'get_order', 'tools/call', 'application/json', '2026-07-28', '2025-11-25']
  const text = fc.constantFrom<unknown>(undefined, ...words)
  const value = fc.oneof(text, fc.constantFrom<unknown>(null, 0, 1, -1, 1.5, 2 ** 53, [], {}), fc.jsonValue())
  const edit = fc
    .constantFrom(...places)
    .chain(([where, name]) => fc.tuple(fc.constant(where), fc.constant(name), where === 'headers' ? text : value))
  const plain = { today: 0, before: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 2 }), fc.boolean(), async (edits, isToday) => {
      const change: Record<string, Json> = { ...((isToday ? {} : ofBefore({})) as Record<string, Json>) }
      for (const [where, name, to] of edits) change[where] = { ...change[where], [name]: to }
      if (isPlain(change)) plain[isToday ? 'today' : 'before']++
      await bothAnswer(change)
    }),
    { numRuns: 1200 },
  )
  expect(Math.min(plain.today, plain.before)).toBeGreaterThan(10)
})
