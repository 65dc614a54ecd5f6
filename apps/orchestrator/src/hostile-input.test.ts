import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { runText, startChat } from './chat-fixture.ts'
import { callTool, held, say, scripted, type Script } from './scripted-model-fixture.ts'

let play: Script
let chat: Awaited<ReturnType<typeof startChat>>

beforeAll(async () => {
  chat = await startChat(scripted((request) => play(request)))
})
afterAll(() => chat[Symbol.asyncDispose]())
beforeEach(() => {
  play = () => say('Hello.')
})

const twice = `mutation Twice($a: ChatSendInput!, $b: ChatSendInput!) {
  a: chatSend(input: $a) { run { id status } } b: chatSend(input: $b) { run { id status } }
}`
const text = (words: string, idempotencyKey = randomUUID()) => ({ text: words, idempotencyKey, waitMs: 0 })

test('one ticket is for one text: a second one in the same request is refused, and says why', async () => {
  const before = chat.agentApi.redeemed.length
  const { data, errors } = await chat.as('ada').run(twice, { a: text('one'), b: text('two') })
  expect(data).toMatchObject({ a: { run: { id: expect.any(String) } }, b: null })
  expect(errors).toMatchObject([
    { path: ['b'], message: expect.stringContaining('one text'), extensions: { code: 'BAD_USER_INPUT' } },
  ])
  expect(chat.agentApi.redeemed).toHaveLength(before + 1)
})

test('a repeat needs no ticket, in the same request either', async () => {
  const same = text('one')
  const { data, errors } = await chat.as('ada').run(twice, { a: same, b: same })
  expect(errors).toBeUndefined()
  expect(data.b.run.id).toBe(data.a.run.id)
})

test.each([
  ['lists in lists in lists', `{"a":${'['.repeat(8000)}${']'.repeat(8000)}}`],
  ['characters that are none', '{"a":"\\u0000 \\ud800","\\u0000":1}'],
  ['names of prototypes', '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}'],
])('a model that calls a tool with %s: the run ends at once, in a clear state', async (_what, args) => {
  play = ({ messages }) =>
    messages.at(-1)?.role === 'tool'
      ? say('Done.')
      : callTool('get_balance').map((event) => (event.type === 'call' ? { ...event, arguments: args } : event))
  const { data, errors } = await chat.as('ada').send({ text: 'Hi' })
  expect(errors).toBeUndefined()
  expect(data.chatSend.run).toMatchObject({ status: 'COMPLETED', message: { text: 'Done.' } })
})

test('anybody in the database can say that a run ended: one that did not goes on', async () => {
  const model = held()
  play = model.script
  const { id } = (await chat.as('ada').send({ text: 'Hi', waitMs: 0 })).data.chatSend.run
  await model.started
  play = () => say('All the same.')
  await chat.admin.query("select pg_notify('chat_run_ended', $1)", [id])
  const answer = async () => (await chat.as('ada').run(runText, { id })).data.chatRun
  await expect.poll(answer, { timeout: 15_000 }).toMatchObject({
    status: 'COMPLETED',
    message: { text: 'All the same.' },
  })
})
