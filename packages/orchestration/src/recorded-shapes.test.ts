import { describe, expect, test } from 'vitest'
import type { ModelEvent } from './model-backend.ts'
import { calls, delta, generate, serve, stream, toolCalls, usage } from './model-server-fixture.ts'

const named = (name: string, args: unknown, more: object = {}) => ({
  id: `c-${name}`,
  type: 'function',
  ...more,
  function: { name, arguments: args },
})
const end = delta({}, 'tool_calls')
const one = [['a', '{"x":1}']] as const
const two = [...one, ['b', '{"y":2}']] as const

async function streamed(chunks: readonly (object | string)[]): Promise<readonly ModelEvent[]> {
  const { baseUrl } = await serve((response) => stream(response, chunks))
  return generate(baseUrl, { retryDelaysMs: [] })
}
async function answered(body: string, type = 'application/json'): Promise<readonly ModelEvent[]> {
  const { baseUrl } = await serve(
    (response) => void response.writeHead(200, type === '' ? {} : { 'content-type': type }).end(body),
  )
  return generate(baseUrl, { retryDelaysMs: [] })
}
const whole = (message: object, more: object = {}, finish: string | null = 'stop') =>
  answered(JSON.stringify({ id: 'x', choices: [{ index: 0, message, finish_reason: finish }], ...more }))
const failure = (code: string) => expect.objectContaining({ name: 'ModelError', code })

describe('calls, in pieces as servers send them', () => {
  test.each<[string, readonly object[], readonly (readonly string[])[]]>([
    [
      'no index, in pieces that name nothing (Gemini)',
      [calls({ id: 'c', function: { name: 'a', arguments: '{"x"' } }), calls({ function: { arguments: ':1}' } })],
      one,
    ],
    [
      'no index, in pieces under their ids',
      [
        calls({ id: 'c', function: { name: 'a', arguments: '{"x"' } }),
        calls({ id: 'c', function: { arguments: ':1}' } }),
        calls({ id: 'd', function: { name: 'b', arguments: '{"y"' } }),
        calls({ id: 'd', function: { arguments: ':2}' } }),
      ],
      two,
    ],
    [
      'two on index 0, in pieces (Ollama)',
      [
        calls(named('a', '{"x"', { index: 0 })),
        calls({ index: 0, function: { arguments: ':1}' } }),
        calls(named('b', '{"y"', { index: 0 })),
        calls({ index: 0, function: { arguments: ':2}' } }),
      ],
      two,
    ],
    [
      'two on index 0 without ids, of one tool',
      [
        calls({ index: 0, function: { name: 'a', arguments: '{"x":1}' } }),
        calls({ index: 0, function: { name: 'a', arguments: '{"x":2}' } }),
      ],
      [
        ['a', '{"x":1}'],
        ['a', '{"x":2}'],
      ],
    ],
    [
      'pieces of two in turns',
      [
        calls(named('a', '{"x"', { index: 0 }), named('b', '{"y"', { index: 1 })),
        calls({ index: 0, function: { arguments: ':1}' } }, { index: 1, function: { arguments: ':2}' } }),
      ],
      two,
    ],
    [
      'an index and no id (Ollama)',
      [
        calls({ index: 0, type: 'function', function: { name: 'a', arguments: '{"x"' } }),
        calls({ index: 0, function: { arguments: ':1}' } }),
      ],
      one,
    ],
    [
      'arguments before the name (SGLang)',
      [
        calls({ index: 0, id: 'c', function: { arguments: '' } }),
        calls({ index: 0, function: { name: 'a', arguments: '{"x":1}' } }),
      ],
      one,
    ],
    ['the name in every piece', [calls(named('a', '{"x"', { index: 0 })), calls(named('a', ':1}', { index: 0 }))], one],
    [
      'an empty name and id in later pieces',
      [calls(named('a', '{"x"', { index: 0 })), calls(named('', ':1}', { index: 0, id: '' }))],
      one,
    ],
    ['an index that begins with 1', [calls(named('a', '{"x":1}', { index: 1 }))], one],
    ['an index beyond all lists', [calls(named('a', '{"x":1}', { index: 4_294_967_290 }))], one],
    [
      'arguments of null, then text',
      [calls(named('a', null, { index: 0 })), calls({ index: 0, function: { arguments: '{"x":1}' } })],
      one,
    ],
  ])('%s', async (_name, chunks, expected) => {
    expect(toolCalls(await streamed([...chunks, end, '[DONE]']))).toEqual(expected)
  })

  test('with the reason in the same piece', async () => {
    const events = await streamed([delta({ tool_calls: [named('a', '{"x":1}', { index: 0 })] }, 'tool_calls')])
    expect(toolCalls(events)).toEqual(one)
  })

  test('of no name are an answer that cannot be used', async () => {
    await expect(streamed([calls({ index: 0, function: { arguments: '{}' } }), end])).rejects.toEqual(
      failure('MODEL_BAD_OUTPUT'),
    )
  })
})

describe('one document in place of a stream', () => {
  test.each<[string, readonly object[], readonly (readonly string[])[]]>([
    ['empty-string arguments', [named('a', '')], [['a', '']]],
    ['no arguments', [{ id: 'c', function: { name: 'a' } }], [['a', '']]],
    ['object-valued arguments', [named('a', { x: 1 })], one],
    ['no index, no id', [named('a', { x: 1 }, { id: null }), named('b', '{"y":2}', { id: undefined })], two],
    ['two calls on index 0', [named('a', '{"x":1}', { index: 0 }), named('b', '{"y":2}', { index: 0 })], two],
  ])('%s, finished with stop', async (_name, tool_calls, expected) => {
    for (const content of [null, '']) {
      const events = await whole({ role: 'assistant', content, tool_calls })
      expect(toolCalls(events)).toEqual(expected)
      expect(events.at(-1)).toEqual({ type: 'finish', reason: 'done', usage: null })
    }
  })

  test('without a reason: it is whole', async () => {
    expect(await whole({ content: 'Hi.' }, {}, null)).toEqual([
      { type: 'text', text: 'Hi.' },
      { type: 'finish', reason: 'done', usage: null },
    ])
  })

  test('cut off', async () => {
    expect((await whole({ content: 'Hi' }, {}, 'length')).at(-1)).toMatchObject({ reason: 'length' })
  })

  test.each<[string, string, string, string]>([
    ['an error', 'application/json', '{"error":{"message":"down","code":500}}', 'MODEL_UNAVAILABLE'],
    ['an error in words (TGI)', 'application/json', '{"error":"down","error_type":"overloaded"}', 'MODEL_UNAVAILABLE'],
    ['an error that says 429', 'application/json', '{"error":{"message":"slow","code":429}}', 'MODEL_RATE_LIMITED'],
    [
      'an error of vLLM that says 429',
      'application/json',
      '{"object":"error","message":"slow","code":429}',
      'MODEL_RATE_LIMITED',
    ],
    ['a page', 'text/html', '<html>Welcome to nginx</html>', 'MODEL_BAD_OUTPUT'],
    ['half a document', 'application/json', '{"choices":[', 'MODEL_BAD_OUTPUT'],
    ['nothing', 'application/json', '', 'MODEL_BAD_OUTPUT'],
    ['nothing of any kind', '', '', 'MODEL_BAD_OUTPUT'],
    ['a document of something else', 'application/json', '{"status":"ok"}', 'MODEL_BAD_OUTPUT'],
    ['a list', 'application/json', '[{"choices":[]}]', 'MODEL_BAD_OUTPUT'],
    [
      'lines of JSON (the native API of Ollama)',
      'application/x-ndjson',
      '{"message":{"content":"a"}}\n{"done":true}\n',
      'MODEL_BAD_OUTPUT',
    ],
  ])('%s', async (_name, type, body, code) => {
    await expect(answered(body, type)).rejects.toEqual(failure(code))
  })
})

describe('streams that are not as the specification has them', () => {
  const hi = `data: ${JSON.stringify(delta({ content: 'Hi' }, 'stop'))}\n\n`
  const said = [
    { type: 'text', text: 'Hi' },
    { type: 'finish', reason: 'done', usage: null },
  ]

  test.each<[string, string, string]>([
    ['no [DONE]', 'text/event-stream', hi],
    ['named text/plain', 'text/plain; charset=utf-8', `${hi}data: [DONE]\n\n`],
    ['named nothing', '', `${hi}data: [DONE]\n\n`],
    ['no space after the colon', 'text/event-stream', `${hi.replace('data: ', 'data:')}data:[DONE]\n\n`],
    ['a mark of byte order', 'text/event-stream', `\uFEFF${hi}`],
  ])('%s', async (_name, type, body) => {
    expect(await answered(body, type)).toEqual(said)
  })

  test.each<[string, readonly object[]]>([
    ['a reason in every piece (Gemini)', [delta({ content: 'H' }, 'stop'), delta({ content: 'i' }, 'stop')]],
    ['a reason nobody else has (TGI)', [delta({ content: 'Hi' }), delta({}, 'eos_token')]],
    [
      'an error of null in every piece',
      [
        { ...delta({ content: 'Hi' }), error: null },
        { ...delta({}, 'stop'), error: null },
      ],
    ],
    [
      'ids that are numbers, dates that are text',
      [{ ...delta({ content: 'Hi' }, 'stop'), id: 5, created: '2026-11-25', model: 7 }],
    ],
    ['thoughts before the answer', [delta({ reasoning_content: 'Hm.' }), delta({ content: 'Hi' }), delta({}, 'stop')]],
    ['text in parts', [delta({ content: [{ type: 'text', text: 'Hi' }] }), delta({}, 'stop')]],
    [
      'pieces of nothing',
      [{ choices: null }, { choices: [{ index: 0, delta: null }] }, delta({ content: 'Hi', tool_calls: [] }, 'stop')],
    ],
  ])('%s', async (_name, chunks) => {
    const events = await streamed([...chunks, '[DONE]'])
    const text = events.flatMap((event) => (event.type === 'text' ? [event.text] : [])).join('')
    expect([{ type: 'text', text }, events.at(-1)]).toEqual(said)
  })

  test.each<[string, string, string]>([
    [
      'an error after the first piece',
      `${hi.replace('"stop"', 'null')}data: {"error":{"message":"died"}}\n\ndata: [DONE]\n\n`,
      'MODEL_UNAVAILABLE',
    ],
    [
      'an event that is called error',
      'event: error\ndata: {"error":{"message":"died","code":503}}\n\n',
      'MODEL_UNAVAILABLE',
    ],
    ['an error that says 429 (OpenRouter)', 'data: {"error":{"code":429,"message":"slow"}}\n\n', 'MODEL_RATE_LIMITED'],
    ['words in place of JSON', 'data: error: overloaded\n\n', 'MODEL_BAD_OUTPUT'],
    ['an end in the middle', hi.replace('"stop"', 'null'), 'MODEL_BAD_OUTPUT'],
  ])('%s', async (_name, body, code) => {
    await expect(answered(body, 'text/event-stream')).rejects.toEqual(failure(code))
  })
})

describe('usage', () => {
  const counted = { inputTokens: 12, outputTokens: 3, cachedInputTokens: 4 }
  test.each<[string, unknown, object | null]>([
    ['missing', undefined, null],
    ['null', null, null],
    // Read as no tokens at all, it would cost a budget nothing.
    ['empty', {}, null],
    ['of words', { prompt_tokens: '12', completion_tokens: '3' }, null],
    ['whole', usage.usage, counted],
    [
      'with more than anybody asked for',
      { ...usage.usage, completion_tokens_details: 'none', prompt_time: '1s' },
      counted,
    ],
  ])('%s', async (_name, given, expected) => {
    const expectedEnd = { type: 'finish', reason: 'done', usage: expected }
    expect((await streamed([delta({ content: 'x' }, 'stop'), { choices: [], usage: given }])).at(-1)).toEqual(
      expectedEnd,
    )
    expect((await whole({ content: 'x' }, { usage: given })).at(-1)).toEqual(expectedEnd)
  })

  test('in every piece: the last counts', async () => {
    const events = await streamed([
      { ...delta({ content: 'x' }), usage: { prompt_tokens: 12, completion_tokens: 1 } },
      { ...delta({}, 'stop'), usage: usage.usage },
    ])
    expect(events.at(-1)).toEqual({ type: 'finish', reason: 'done', usage: counted })
  })
})

test.each([
  ['429, in seconds', 429, () => '120'],
  ['429, as a date', 429, () => new Date(Date.now() + 120_000).toUTCString()],
  ['503, in seconds', 503, () => '120'],
  ['503, as a date', 503, () => new Date(Date.now() + 120_000).toUTCString()],
])('Retry-After of %s', async (_name, status, after) => {
  const { baseUrl, received } = await serve(
    (response) => void response.writeHead(status, { 'retry-after': after() }).end('not JSON'),
  )
  const error: unknown = await generate(baseUrl, { retryDelaysMs: [1, 1] }).catch((thrown: unknown) => thrown)
  expect(error).toEqual(failure(status === 429 ? 'MODEL_RATE_LIMITED' : 'MODEL_UNAVAILABLE'))
  expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(110_000)
  // Longer than anybody waits: it is not asked again.
  expect(received).toHaveLength(1)
})
