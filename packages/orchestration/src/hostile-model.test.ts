import { describe, expect, test } from 'vitest'
import { call, done, say, setUp } from './run-fixture.ts'
import { delta, generate, serve, stream } from './model-server-fixture.ts'

const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`

describe('arguments that cannot be kept as they were written', () => {
  test.each([
    ['a number beyond all numbers', '{"first":1e400}'],
    ['one deep inside', '{"a":{"b":[{"c":-1e999}]}}'],
    ['lists in lists in lists', nested(7000)],
    ['somewhat deep', nested(40)],
  ])('%s: told to the model and never sent', async (_name, args) => {
    const { run, sent, steps, state } = setUp({
      script: ({ messages }) => (messages.at(-1)?.role === 'tool' ? say('Sorry.') : [call('get_balance', args), done]),
    })
    await run()
    expect(sent).toEqual([])
    expect(steps[0]?.calls).toMatchObject([{ arguments: {}, outcome: { error: { code: 'TOOL_ARGUMENTS_INVALID' } } }])
    expect(state.end?.status).toBe('COMPLETED')
  })

  test.each(['{"first":1e300}', nested(10), '{"__proto__":{"a":1},"constructor":{"prototype":{"a":1}}}'])(
    '%s is sent as it is',
    async (args) => {
      const { run, sent } = setUp({
        script: ({ messages }) => (messages.at(-1)?.role === 'tool' ? say('Ok.') : [call('get_balance', args), done]),
      })
      await run()
      expect(JSON.stringify(sent[0]?.arguments)).toBe(JSON.stringify(JSON.parse(args)))
      expect(({} as Record<string, unknown>)['a']).toBeUndefined()
    },
  )
})

describe('numbers of a model server', () => {
  test.each([9e15, 2 ** 31, 1e308, -5, 1.5])('usage of %s tokens is none', async (tokens) => {
    const { baseUrl } = await serve((response) =>
      stream(response, [
        delta({ content: 'Hi' }, 'stop'),
        { id: 'x', choices: [], usage: { prompt_tokens: tokens, completion_tokens: 3 } },
        '[DONE]',
      ]),
    )
    expect(await generate(baseUrl)).toContainEqual({
      type: 'finish',
      reason: 'done',
      usage: { inputTokens: null, outputTokens: 3, cachedInputTokens: expect.toSatisfy((n) => n === 0 || n === null) },
    })
  })

  test.each(['999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'])('Retry-After: %s is at most a day', async (header) => {
    const { baseUrl } = await serve((response) => void response.writeHead(429, { 'retry-after': header }).end('{}'))
    await expect(generate(baseUrl)).rejects.toMatchObject({ code: 'MODEL_RATE_LIMITED', retryAfterMs: 86_400_000 })
  })
})
