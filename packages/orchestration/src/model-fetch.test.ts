import { describe, expect, test } from 'vitest'
import { serve, stream, delta, calls, generate, toolCalls } from './model-server-fixture.ts'

describe('what servers really send', () => {
  const named = (name: string, args: unknown, more: object = {}) => ({
    id: `c-${name}`,
    type: 'function',
    ...more,
    function: { name, arguments: args },
  })

  test.each<[string, readonly (object | string)[], readonly (readonly [string, string])[]]>([
    [
      'arguments in pieces',
      [
        calls(named('a', '', { index: 0 })),
        calls({ index: 0, function: { arguments: '{"x"' } }),
        calls({ index: 0, function: { arguments: ':1}' } }),
        delta({}, 'tool_calls'),
      ],
      [['a', '{"x":1}']],
    ],
    ['empty-string arguments', [calls(named('a', '', { index: 0 })), delta({}, 'tool_calls')], [['a', '']]],
    ['no arguments', [calls({ index: 0, id: 'c', function: { name: 'a' } }), delta({}, 'tool_calls')], [['a', '']]],
    [
      'object-valued arguments',
      [calls(named('a', { x: 1 }, { index: 0 })), delta({}, 'tool_calls')],
      [['a', '{"x":1}']],
    ],
    ['calls that finish with stop', [calls(named('a', '{}', { index: 0 })), delta({}, 'stop')], [['a', '{}']]],
    [
      'no index',
      [calls(named('a', '{"x":1}')), calls(named('b', '{"y":2}')), delta({}, 'tool_calls')],
      [
        ['a', '{"x":1}'],
        ['b', '{"y":2}'],
      ],
    ],
    [
      'two calls on index 0',
      [calls(named('a', '{"x":1}', { index: 0 })), calls(named('b', '{"y":2}', { index: 0 })), delta({}, 'tool_calls')],
      [
        ['a', '{"x":1}'],
        ['b', '{"y":2}'],
      ],
    ],
    [
      'two calls of one tool on index 0',
      [
        calls(named('a', '{"x":1}', { index: 0, id: '1' }), named('a', '{"x":2}', { index: 0, id: '2' })),
        delta({}, 'tool_calls'),
      ],
      [
        ['a', '{"x":1}'],
        ['a', '{"x":2}'],
      ],
    ],
    ['an index that is text', [calls(named('a', '{}', { index: '0' })), delta({}, 'tool_calls')], [['a', '{}']]],
    [
      'one call that is no list',
      [delta({ tool_calls: named('a', { x: 1 }) }), delta({}, 'tool_calls')],
      [['a', '{"x":1}']],
    ],
    [
      'a role that is not assistant',
      [delta({ role: 'tool', tool_calls: [named('a', '{}')] }), delta({}, 'tool_calls')],
      [['a', '{}']],
    ],
    [
      'a whole message in a chunk',
      [
        {
          choices: [
            {
              message: { role: 'assistant', content: null, tool_calls: [named('a', { x: 1 })] },
              finish_reason: 'tool_calls',
            },
          ],
        },
      ],
      [['a', '{"x":1}']],
    ],
    [
      'an empty finish reason until the end',
      [{ choices: [{ delta: { tool_calls: [named('a', '{}')] }, finish_reason: '' }] }, delta({}, 'stop')],
      [['a', '{}']],
    ],
    ['chunks without choices', [{ id: 'keepalive' }, calls(named('a', '{}')), delta({}, 'stop')], [['a', '{}']]],
    ['an end without a reason', [calls(named('a', '{}')), '[DONE]'], [['a', '{}']]],
  ])('%s', async (_name, chunks, expected) => {
    const { baseUrl } = await serve((response) => stream(response, chunks))
    const events = await generate(baseUrl)
    expect(toolCalls(events)).toEqual(expected)
    expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'done' })
  })

  test('one JSON document instead of a stream', async () => {
    const message = { role: 'assistant', content: 'Hi.', tool_calls: [named('a', { x: 1 })] }
    const { baseUrl } = await serve((response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(
          JSON.stringify(
            { choices: [{ message, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 2 } },
            null,
            2,
          ),
        ),
    )
    const events = await generate(baseUrl)
    expect(events).toMatchObject([
      { type: 'text', text: 'Hi.' },
      { type: 'call', name: 'a', arguments: '{"x":1}' },
      { type: 'finish', usage: { inputTokens: 1, outputTokens: 2 } },
    ])
  })

  test('lines that end in CRLF, cut anywhere, with comments between', async () => {
    const text = `: comment\r\n\r\ndata: ${JSON.stringify(delta({ content: 'Grüße 🙂' }))}\r\n\r\ndata: ${JSON.stringify(delta({}, 'stop'))}`
    const { baseUrl } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      const bytes = Buffer.from(text)
      const write = (at: number) =>
        at < bytes.length ? response.write(bytes.subarray(at, at + 7), () => write(at + 7)) : response.end()
      write(0)
    })
    expect(await generate(baseUrl)).toMatchObject([
      { type: 'text', text: 'Grüße 🙂' },
      { type: 'finish', reason: 'done' },
    ])
  })

  test('no usage', async () => {
    const { baseUrl } = await serve((response) => stream(response, [delta({ content: 'x' }, 'stop')]))
    expect((await generate(baseUrl)).at(-1)).toEqual({ type: 'finish', reason: 'done', usage: null })
  })

  test.each([
    ['length', 'length'],
    ['content_filter', 'refused'],
  ])('finish reason %s', async (sent, reason) => {
    const { baseUrl } = await serve((response) => stream(response, [delta({ content: 'x' }, sent)]))
    expect((await generate(baseUrl)).at(-1)).toMatchObject({ reason })
  })
})
