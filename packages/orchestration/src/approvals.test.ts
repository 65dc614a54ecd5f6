import { AppError, type ToolOutcome } from '@behalf/identity'
import { expect, test } from 'vitest'
import { call, done, say, setUp, type Script } from './run-fixture.ts'

const once: Script = ({ messages }) => (messages.at(-1)?.role === 'tool' ? say('Done.') : [call('get_balance'), done])
const asked = (expiresAt = Date.now() + 60_000): ToolOutcome => ({
  ok: false,
  error: { code: 'APPROVAL_REQUIRED', message: 'x' },
  approval: { id: 'apr_1', summary: 's', argumentsHash: 'h', expiresAt: new Date(expiresAt).toISOString() },
})
const ok: ToolOutcome = { ok: true, result: 1, truncated: false }

test('[P9] a call that its user is asked for puts the run aside, and is sent again under the same id', async () => {
  const outcomes = [asked(), asked(), ok]
  const { run, log, state, sent, requests } = setUp({ script: once, answer: async () => outcomes.shift() ?? ok })
  await run()
  expect(log.slice(-1)).toEqual(['wait get_balance'])
  expect(state.end).toBeNull()
  // Taken before anything was decided: it waits on.
  await run()
  expect(state.end).toBeNull()
  await run()
  expect(log.slice(-3)).toEqual(['settle get_balance SUCCEEDED', 'step ', 'end COMPLETED'])
  expect(new Set(sent.map(({ call: id }) => id)).size).toBe(1)
  expect(requests).toHaveLength(2)
})

test('what was decided while it was put aside is not missed', async () => {
  const outcomes = [asked(), ok]
  let decided = true
  const { run, state, sent } = setUp({
    script: once,
    answer: async () => outcomes.shift() ?? ok,
    waits: () => !decided || (decided = false),
  })
  await run()
  expect(state.end?.status).toBe('COMPLETED')
  expect(sent).toHaveLength(2)
})

test('a rejection is told to the model', async () => {
  const { run, log, requests, state } = setUp({
    script: once,
    answer: async () => ({ ok: false, error: { code: 'APPROVAL_REJECTED', message: 'no' } }),
  })
  await run()
  expect(log).toContain('settle get_balance REJECTED')
  expect(requests[1]?.messages.at(-1)).toMatchObject({
    role: 'tool',
    outcome: { error: { code: 'APPROVAL_REJECTED' } },
  })
  expect(state.end?.status).toBe('COMPLETED')
})

test.each([
  [-1, 'INCOMPLETE', 'APPROVAL_EXPIRED'],
  [60_000, 'FAILED', 'IDENTITY_EXPIRED'],
] as const)('a delegation that is over %i ms before the user can decide no more', async (left, status, code) => {
  let over = false
  const { run, state } = setUp({
    script: once,
    answer: async () => asked(Date.now() + left),
    tools: async () => {
      if (over) throw new AppError('DELEGATION_REFUSED')
      return [
        {
          name: 'get_balance',
          title: '',
          description: '',
          inputSchema: {},
          readOnly: false,
          requiresApproval: true,
          examples: [],
        },
      ]
    },
  })
  await run()
  over = true
  await run()
  expect(state.end).toMatchObject({ status, code })
})

test('other calls of the same answer are made, and the model hears of all together', async () => {
  const outcomes = new Map<number, ToolOutcome>([[1, asked()]])
  const { run, log, state, requests } = setUp({
    script: ({ messages }) =>
      messages.at(-1)?.role === 'tool'
        ? say('Done.')
        : [call('get_balance', '{"n":1}'), call('get_balance', '{"n":2}'), done],
    answer: async ({ arguments: { n } }) => outcomes.get(Number(n)) ?? ok,
  })
  await run()
  expect(log.filter((line) => line.startsWith('settle'))).toHaveLength(1)
  expect(requests).toHaveLength(1)
  outcomes.clear()
  await run()
  expect(state.end?.status).toBe('COMPLETED')
  expect(requests[1]?.messages.filter(({ role }) => role === 'tool')).toHaveLength(2)
})
