import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { runText, startChat } from './chat-fixture.ts'
import { held, say, scripted, type Script } from './scripted-model-fixture.ts'

/** What the model does next; a test may make it wait. */
let play: Script
let chat: Awaited<ReturnType<typeof startChat>>

beforeAll(async () => {
  chat = await startChat(scripted((request) => play(request)))
})
afterAll(() => chat[Symbol.asyncDispose]())
beforeEach(() => {
  play = () => say('Hello.')
  chat.agentApi.delegationsHold = true
})

const count = async (table: string) => Number((await chat.admin.query(`select count(*) from ${table}`)).rows[0].count)

test('stores a conversation, both texts, usage, and keeps no handle once the run is over', async () => {
  const { data } = await chat.as('ada').send({ text: '  Hi\n there ' })
  const { run } = data.chatSend
  expect(run).toMatchObject({
    status: 'COMPLETED',
    conversation: { title: 'Hi there' },
    message: { role: 'ASSISTANT', text: 'Hello.', run: { id: run.id } },
    usage: { inputTokens: 10, outputTokens: 2, modelCalls: 1, toolCalls: 0, reported: true },
    error: null,
  })
  expect((await chat.admin.query('select * from run_delegation where run_id = $1', [run.id])).rows).toEqual([])
})

test('continues a conversation with what was said', async () => {
  const first = (await chat.as('ada').send({ text: 'one' })).data.chatSend.run
  let seen: readonly unknown[] = []
  play = ({ messages }) => {
    seen = messages.filter(({ role }) => role !== 'system')
    return say('two!')
  }
  await chat.as('ada').send({ text: 'two', conversationId: first.conversation.id })
  expect(seen).toEqual([
    { role: 'user', text: 'one' },
    { role: 'assistant', text: 'Hello.', calls: [] },
    { role: 'user', text: 'two' },
  ])
})

test('a repeat returns the first run and starts nothing', async () => {
  const idempotencyKey = randomUUID()
  const first = (await chat.as('ada').send({ text: 'once', idempotencyKey })).data.chatSend.run
  const before = chat.agentApi.redeemed.length
  const again = (await chat.as('ada').send({ text: 'once', idempotencyKey })).data.chatSend
  expect(again).toMatchObject({ run: { id: first.id }, error: null })
  expect(chat.agentApi.redeemed).toHaveLength(before)
})

test('two at the same time under one key are one', async () => {
  const input = { text: 'twice', idempotencyKey: randomUUID() }
  const before = { runs: await count('run'), conversations: await count('conversation') }
  const answers = await Promise.all(Array.from({ length: 5 }, () => chat.as('ada').send(input)))
  expect(new Set(answers.map(({ data }) => data.chatSend.run?.id)).size).toBe(1)
  expect({ runs: await count('run'), conversations: await count('conversation') }).toEqual({
    runs: before.runs + 1,
    conversations: before.conversations + 1,
  })
})

test('the same key with another text, or another conversation, is refused', async () => {
  const idempotencyKey = randomUUID()
  const first = (await chat.as('ada').send({ text: 'this', idempotencyKey })).data.chatSend.run
  const mismatch = { run: null, error: { code: 'IDEMPOTENCY_MISMATCH', retryable: false } }
  expect((await chat.as('ada').send({ text: 'that', idempotencyKey })).data.chatSend).toEqual(mismatch)
  const other = (await chat.as('ada').send({ text: 'other' })).data.chatSend.run
  expect(
    (await chat.as('ada').send({ text: 'this', idempotencyKey, conversationId: other.conversation.id })).data.chatSend,
  ).toEqual(mismatch)
  // And its twin: the same text in the same conversation.
  expect(
    (await chat.as('ada').send({ text: 'this', idempotencyKey, conversationId: first.conversation.id })).data.chatSend
      .run.id,
  ).toBe(first.id)
})

test("a key is one user's", async () => {
  const input = { text: 'mine', idempotencyKey: 'the-same-key' }
  const ada = (await chat.as('ada').send(input)).data.chatSend.run
  const ben = (await chat.as('ben').send({ ...input, text: 'his' })).data.chatSend
  expect(ben.error).toBeNull()
  expect(ben.run.id).not.toBe(ada.id)
})

test('a conversation with a run that is not over is busy', async () => {
  const { script, started, go } = held()
  play = script
  const first = (await chat.as('ada').send({ text: 'slow', waitMs: 0 })).data.chatSend.run
  await started
  const conversationId = first.conversation.id
  expect((await chat.as('ada').send({ text: 'hasty', conversationId })).data.chatSend).toEqual({
    run: null,
    error: { code: 'CONVERSATION_BUSY', retryable: true },
  })
  go()
  await expect
    .poll(async () => (await chat.as('ada').run(runText, { id: first.id })).data.chatRun.status)
    .toBe('COMPLETED')
  play = () => say('Now.')
  expect((await chat.as('ada').send({ text: 'hasty', conversationId })).data.chatSend.run.status).toBe('COMPLETED')
})

test('with waitMs 0 it returns at once; a client that is gone cancels nothing', async () => {
  const { script, started, go } = held()
  play = script
  const { run } = (await chat.as('ada').send({ text: 'later', waitMs: 0 })).data.chatSend
  expect(run.status).toMatch(/QUEUED|RUNNING/)
  expect(run).toMatchObject({ message: null, finishedAt: null })
  await started
  const active = await chat
    .as('ada')
    .run('query($id: ID!) { chatConversation(id: $id) { activeRun { id } } }', { id: run.conversation.id })
  expect(active.data.chatConversation.activeRun).toEqual({ id: run.id })
  go()
  await expect
    .poll(async () => (await chat.as('ada').run(runText, { id: run.id })).data.chatRun.message?.text)
    .toBe('At last.')
})

test.each([
  ['no text', { text: ' \n' }],
  ['too much text', { text: 'a'.repeat(8001) }],
  ['half a character', { text: '\ud800' }],
  ['no key', { text: 'x', idempotencyKey: '' }],
  ['a long key', { text: 'x', idempotencyKey: 'k'.repeat(129) }],
  ['a long wait', { text: 'x', waitMs: 60_001 }],
])('%s is refused', async (_name, input) => {
  const { data, errors } = await chat.as('ada').send(input)
  expect(data.chatSend).toBeNull()
  expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT')
})

test('a ticket that is refused stores nothing', async () => {
  await chat.as('ada').send({ text: 'x' }, { ticket: 'used-once' })
  const before = await count('run')
  const { errors } = await chat.as('ada').send({ text: 'y' }, { ticket: 'used-once' })
  expect(errors?.[0]?.extensions.code).toBe('TICKET_REFUSED')
  expect(await count('run')).toBe(before)
})

test('a delegation that has ended ends the run', async () => {
  chat.agentApi.delegationsHold = false
  const { run } = (await chat.as('ada').send({ text: 'x' })).data.chatSend
  expect(run).toMatchObject({ status: 'FAILED', error: { code: 'IDENTITY_EXPIRED', retryable: true }, message: null })
})
