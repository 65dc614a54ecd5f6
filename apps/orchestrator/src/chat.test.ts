import { randomUUID } from 'node:crypto'
import { keywordRouter } from '@behalf/orchestration'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runText, startChat } from './chat-fixture.ts'
import { callTool, held, say, scripted, type Script } from './scripted-model-fixture.ts'

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

test('keyword-router: the tool is called under the delegation of the ticket, and its fields are the answer', async () => {
  await using routed = await startChat(keywordRouter())
  const { data, errors } = await routed.as('ada').send({ text: 'What is my balance?' }, { ticket: 'ticket-of-ada' })
  expect(errors).toBeUndefined()
  expect(data.chatSend.error).toBeNull()
  expect(data.chatSend.run).toMatchObject({
    status: 'COMPLETED',
    backend: { kind: 'KEYWORD_ROUTER', name: 'keyword-router' },
  })
  expect(data.chatSend.run.message.text).toContain('amount 1250.00, currency EUR')
  expect(data.chatSend.run.message.text).toContain('not a language model')
  expect(data.chatSend.run.toolCalls).toMatchObject([
    { tool: 'get_balance', arguments: {}, status: 'SUCCEEDED', errorCode: null },
  ])
  const [call] = routed.agentApi.calls
  expect(call).toMatchObject({
    name: 'get_balance',
    delegation: 'handle of ticket-of-ada',
    call: data.chatSend.run.toolCalls[0].id,
  })
})

describe("what is another user's reads like what does not exist", () => {
  test('run, conversation, cancel, delete, send', async () => {
    const { run } = (await chat.as('ada').send({ text: 'secret' })).data.chatSend
    const none = 'cnv_00000000000000000000000000000000'
    for (const [id, runId] of [
      [run.conversation.id, run.id],
      [none, 'run_00000000000000000000000000000000'],
    ]) {
      const { data } = await chat
        .as('ben')
        .run(`query($id: ID!, $runId: ID!) { chatConversation(id: $id) { id } chatRun(id: $runId) { id } }`, {
          id,
          runId,
        })
      expect(data).toEqual({ chatConversation: null, chatRun: null })
      const changed = await chat
        .as('ben')
        .run(
          `mutation($id: ID!, $runId: ID!) { chatCancelRun(runId: $runId) { run { id } } chatDeleteConversation(id: $id) }`,
          { id, runId },
        )
      expect(changed.data).toEqual({ chatCancelRun: { run: null }, chatDeleteConversation: false })
      expect((await chat.as('ben').send({ text: 'x', conversationId: id })).data.chatSend).toEqual({
        run: null,
        error: null,
      })
    }
    expect(
      (await chat.as('ben').run('{ chatConversations { edges { node { id } } } }')).data.chatConversations.edges.map(
        ({ node }: { node: { id: string } }) => node.id,
      ),
    ).not.toContain(run.conversation.id)
    // The twin: its owner sees it.
    expect((await chat.as('ada').run(runText, { id: run.id })).data.chatRun.id).toBe(run.id)
  })

  test("not even the database takes a run into another user's conversation", async () => {
    const { run } = (await chat.as('ada').send({ text: 'mine' })).data.chatSend
    const insert = (owner: string) =>
      chat.admin.query(
        `insert into run (id, conversation_id, user_id, idempotency_key, backend_kind, backend_name) values ($1, $2, $3, $4, 'LANGUAGE_MODEL', 'x')`,
        [`run_${randomUUID().replaceAll('-', '')}`, run.conversation.id, owner, randomUUID()],
      )
    await expect(insert('usr_ben')).rejects.toThrow(/foreign key/)
    await expect(insert('usr_ada')).resolves.toMatchObject({ rowCount: 1 })
  })

  test('without the scope, or as an agent, nothing is answered', async () => {
    const { data, errors } = await chat.as('ada', ['orders:read']).run('{ chatConversations { edges { cursor } } }')
    expect(data.chatConversations).toBeNull()
    expect(errors?.[0]?.extensions.code).toBe('UNAUTHORIZED_FIELD_OR_TYPE')
    const actor = {
      agent: 'assistant',
      delegation: 'dlg_1',
      run: 'run_1',
      tool: 'sneaky',
      call: 'call_1',
      parent: randomUUID(),
    }
    const asAgent = await chat.as('ada', ['chat'], actor).send({ text: 'x' })
    expect(asAgent).toMatchObject({ data: { chatSend: null }, errors: [{ extensions: { code: 'AGENT_DENIED' } }] })
    expect((await chat.as('ada').run('{ chatConversations { edges { cursor } } }')).errors).toBeUndefined()
  })
})

describe('chatCancelRun and chatDeleteConversation', () => {
  test('a cancelled run stops its model, and what it still writes is refused', async () => {
    const { script, started, isAborted } = held()
    play = script
    const { run } = (await chat.as('ada').send({ text: 'slow', waitMs: 0 })).data.chatSend
    await started
    const { data } = await chat
      .as('ada')
      .run('mutation($id: ID!) { chatCancelRun(runId: $id) { run { status finishedAt } error { code } } }', {
        id: run.id,
      })
    expect(data.chatCancelRun).toMatchObject({
      run: { status: 'CANCELLED', finishedAt: expect.any(String) as string },
      error: null,
    })
    await expect.poll(isAborted).toBe(true)
    await jobsDone()
    expect((await chat.as('ada').run(runText, { id: run.id })).data.chatRun).toMatchObject({
      status: 'CANCELLED',
      message: null,
    })
  })

  test('a run that is over stays as it is', async () => {
    const { run } = (await chat.as('ada').send({ text: 'quick' })).data.chatSend
    const { data } = await chat
      .as('ada')
      .run('mutation($id: ID!) { chatCancelRun(runId: $id) { run { status } } }', { id: run.id })
    expect(data.chatCancelRun.run.status).toBe('COMPLETED')
  })

  test('a deleted conversation is gone with everything in it, its run included', async () => {
    const { script, started, isAborted } = held()
    play = script
    const { run } = (await chat.as('ada').send({ text: 'gone', waitMs: 0 })).data.chatSend
    await started
    const { data } = await chat
      .as('ada')
      .run('mutation($id: ID!) { chatDeleteConversation(id: $id) }', { id: run.conversation.id })
    expect(data.chatDeleteConversation).toBe(true)
    await expect.poll(isAborted).toBe(true)
    await jobsDone()
    for (const table of ['run', 'message', 'step', 'tool_call', 'run_delegation']) {
      const column = table === 'run' ? 'id' : 'run_id'
      expect((await chat.admin.query(`select 1 from ${table} where ${column} = $1`, [run.id])).rows).toEqual([])
    }
  })

  async function jobsDone() {
    await expect.poll(() => count('orchestrator_queue._private_jobs')).toBe(0)
  }
})

describe('pages', () => {
  test('of messages, both ways', async () => {
    let { run } = (await chat.as('ada').send({ text: '1' })).data.chatSend
    const conversationId = run.conversation.id
    for (const text of ['3', '5']) run = (await chat.as('ada').send({ text, conversationId })).data.chatSend.run
    const page = async (args: string) => {
      const { data, errors } = await chat
        .as('ada')
        .run(
          `query($id: ID!) { chatConversation(id: $id) { messages${args} { edges { cursor node { text } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`,
          { id: conversationId },
        )
      if (errors) return errors[0]?.extensions.code
      const { edges, pageInfo } = data.chatConversation.messages
      return { texts: edges.map((edge: { node: { text: string } }) => edge.node.text), ...pageInfo }
    }
    const all = ['1', 'Hello.', '3', 'Hello.', '5', 'Hello.']
    expect(await page('')).toMatchObject({ texts: all, hasNextPage: false, hasPreviousPage: false })
    const first = await page('(first: 2)')
    expect(first).toMatchObject({ texts: all.slice(0, 2), hasNextPage: true, hasPreviousPage: false })
    expect(await page(`(first: 2, after: "${first.endCursor}")`)).toMatchObject({
      texts: all.slice(2, 4),
      hasNextPage: true,
      hasPreviousPage: true,
    })
    const last = await page('(last: 2)')
    expect(last).toMatchObject({ texts: all.slice(4), hasNextPage: false, hasPreviousPage: true })
    expect(await page(`(last: 4, before: "${last.startCursor}")`)).toMatchObject({
      texts: all.slice(0, 4),
      hasNextPage: true,
      hasPreviousPage: false,
    })
    expect(await page('(first: 1, last: 1)')).toBe('BAD_USER_INPUT')
    expect(await page('(last: 0)')).toBe('BAD_USER_INPUT')
    expect(await page('(first: 1, after: "bm9wZQ")')).toBe('BAD_USER_INPUT')
  })

  test('of conversations, newest first', async () => {
    const titles = ['a', 'b', 'c']
    for (const text of titles) await chat.as('chloe').send({ text })
    const read = async (after: string | null) =>
      (
        await chat
          .as('chloe')
          .run(
            'query($after: String) { chatConversations(first: 2, after: $after) { edges { node { title } } pageInfo { hasNextPage endCursor } } }',
            { after },
          )
      ).data.chatConversations
    const first = await read(null)
    const second = await read(first.pageInfo.endCursor)
    const seen = [...first.edges, ...second.edges].map((edge: { node: { title: string } }) => edge.node.title)
    expect(seen).toEqual(titles.toReversed())
    expect(second.pageInfo.hasNextPage).toBe(false)
  })
})

test('a model that calls what it was not offered reaches nothing', async () => {
  const before = chat.agentApi.calls.length
  play = ({ messages }) =>
    messages.at(-1)?.role === 'tool' ? say('No.') : callTool('delete_everything', { userId: 'usr_ben' })
  const { run } = (await chat.as('ada').send({ text: 'x' })).data.chatSend
  expect(run).toMatchObject({
    status: 'COMPLETED',
    toolCalls: [{ tool: 'delete_everything', status: 'FAILED', errorCode: 'TOOL_UNKNOWN', result: null }],
  })
  expect(chat.agentApi.calls).toHaveLength(before)
})
