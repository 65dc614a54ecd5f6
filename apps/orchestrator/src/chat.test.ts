import { randomUUID } from 'node:crypto'
import { keywordRouter } from '@behalf/orchestration'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { callTool, runText, say, scripted, startChat } from './chat-fixture.ts'

/** What the model does next; a test may make it wait. */
let play: Parameters<typeof scripted>[0]
let chat: Awaited<ReturnType<typeof startChat>>

beforeAll(async () => {
  chat = await startChat(scripted((request) => play(request)))
})
afterAll(() => chat[Symbol.asyncDispose]())
beforeEach(() => {
  play = () => say('Hello.')
  chat.agentApi.delegationsHold = true
})

/** A model that answers when the test says so. */
function hold() {
  const started = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  let aborted = false
  play = async ({ signal }) => {
    signal.addEventListener('abort', () => {
      aborted = true
      go.resolve()
    })
    started.resolve()
    await go.promise
    return say('At last.')
  }
  return { started: started.promise, go: go.resolve, isAborted: () => aborted }
}

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

describe('chatSend', () => {
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
      (await chat.as('ada').send({ text: 'this', idempotencyKey, conversationId: other.conversation.id })).data
        .chatSend,
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
    const { started, go } = hold()
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
    const { started, go } = hold()
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
    const { started, isAborted } = hold()
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
    const { started, isAborted } = hold()
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
