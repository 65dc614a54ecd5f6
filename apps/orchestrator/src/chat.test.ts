import { keywordRouter } from '@behalf/orchestration'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startChat } from './chat-fixture.ts'

let chat: Awaited<ReturnType<typeof startChat>>
beforeAll(async () => {
  chat = await startChat(keywordRouter())
})
afterAll(() => chat[Symbol.asyncDispose]())

test('a turn: the tool is called under the delegation of the ticket, and its fields are the answer', async () => {
  const { data, errors } = await chat.as('ada').send({ text: 'What is my balance?' }, { ticket: 'ticket-of-ada' })
  expect(errors).toBeUndefined()
  expect(data.chatSend.error).toBeNull()
  expect(data.chatSend.run).toMatchObject({ status: 'COMPLETED', backend: { kind: 'KEYWORD_ROUTER', name: 'keyword-router' } })
  expect(data.chatSend.run.message.text).toContain('amount 1250.00, currency EUR')
  expect(data.chatSend.run.message.text).toContain('not a language model')
  expect(data.chatSend.run.toolCalls).toMatchObject([{ tool: 'get_balance', status: 'SUCCEEDED', errorCode: null }])
  expect(chat.agentApi.calls).toMatchObject([{ name: 'get_balance', delegation: 'handle of ticket-of-ada', call: data.chatSend.run.toolCalls[0].id }])
})
