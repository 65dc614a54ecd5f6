import type { ToolOutcome } from '@behalf/identity'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runText, startChat } from './chat-fixture.ts'
import { callTool, say, scripted } from './scripted-model-fixture.ts'

let chat: Awaited<ReturnType<typeof startChat>>
/** By call; without one, its user is asked. */
const decided = new Map<string, ToolOutcome>()
let sequence = 0

beforeAll(async () => {
  chat = await startChat(
    scripted(({ messages }) => (messages.at(-1)?.role === 'tool' ? say('Done.') : callTool('get_balance'))),
    2,
  )
  chat.agentApi.answer = ({ call }) => decided.get(call) ?? asked(call)
})
afterAll(() => chat[Symbol.asyncDispose]())
beforeEach(() => {
  chat.agentApi.delegationsHold = true
})

const asked = (call: string): ToolOutcome => ({
  ok: false,
  error: { code: 'APPROVAL_REQUIRED', message: 'x' },
  approval: {
    id: `apr_of_${call}`,
    summary: 's',
    argumentsHash: 'h',
    expiresAt: new Date(Date.now() + 60_000).toISOString(),
  },
})
const done: ToolOutcome = { ok: true, result: 1, truncated: false }
/** A user decides, and the gateway tells. */
function decide(run: string, call: string, outcome: ToolOutcome): void {
  decided.set(call, outcome)
  chat.agentApi.resolved.push({ sequence: ++sequence, approval: `apr_of_${call}`, run, call, state: 'APPROVED' })
}
async function waiting(user: string) {
  const { data } = await chat.as(user).send({ text: 'go' })
  const { run } = data.chatSend
  const [call] = run.toolCalls
  return { run: run.id as string, call: call.id as string, shown: run }
}
const runOf = async (id: string) => (await chat.as('ada').run(runText, { id })).data.chatRun
const sentOf = (call: string) => chat.agentApi.calls.filter((sent) => sent.call === call).length

describe('[P13] a run that waits for its user', () => {
  test('holds no process, and is continued once, by one of two', async () => {
    const { run, call, shown } = await waiting('ada')
    expect(shown).toMatchObject({
      status: 'AWAITING_APPROVAL',
      finishedAt: null,
      toolCalls: [{ status: 'AWAITING_APPROVAL' }],
      pendingApprovals: [{ id: `apr_of_${call}` }],
    })
    await expect
      .poll(
        async () =>
          (await chat.admin.query('select 1 from orchestrator_queue._private_jobs where locked_at is not null'))
            .rowCount,
      )
      .toBe(0)
    expect(
      (await chat.as('ada').send({ text: 'x', conversationId: shown.conversation.id })).data.chatSend.error,
    ).toMatchObject({
      code: 'CONVERSATION_BUSY',
    })
    decide(run, call, done)
    await expect.poll(() => runOf(run), { timeout: 5000 }).toMatchObject({ status: 'COMPLETED', pendingApprovals: [] })
    expect(sentOf(call)).toBe(2)
    const { rows } = await chat.admin.query('select holder from run where id = $1', [run])
    expect(rows).toEqual([{ holder: 2 }])
  })

  test('of many, each is continued once', async () => {
    const runs = await Promise.all(Array.from({ length: 10 }, () => waiting('chloe')))
    for (const { run, call } of runs) decide(run, call, done)
    const left = `select 1 from run where user_id = 'usr_chloe' and status <> 'COMPLETED'`
    await expect.poll(async () => (await chat.admin.query(left)).rowCount, { timeout: 10_000 }).toBe(0)
    for (const { call } of runs) expect(sentOf(call)).toBe(2)
  })

  test('survives the end of every process, and hears what was decided meanwhile', async () => {
    const { run, call } = await waiting('ada')
    for (const replica of chat.replicas.splice(0)) await replica.close()
    decide(run, call, done)
    await chat.start()
    await expect.poll(() => runOf(run), { timeout: 10_000 }).toMatchObject({ status: 'COMPLETED' })
    expect(sentOf(call)).toBe(2)
  })

  test('is cancelled without a job that is left, and a decision wakes nothing', async () => {
    const { run, call } = await waiting('ada')
    await chat.as('ada').run('mutation($id: ID!) { chatCancelRun(runId: $id) { run { id } } }', { id: run })
    expect(await runOf(run)).toMatchObject({
      status: 'CANCELLED',
      toolCalls: [{ status: 'CANCELLED', errorCode: null }],
    })
    expect(
      (await chat.admin.query('select 1 from orchestrator_queue._private_jobs where key = $1', [run])).rows,
    ).toEqual([])
    decide(run, call, done)
    const { run: next, call: other } = await waiting('ada')
    decide(next, other, done)
    await expect.poll(() => runOf(next), { timeout: 5000 }).toMatchObject({ status: 'COMPLETED' })
    expect(sentOf(call)).toBe(1)
  })

  test('ends when its delegation has', async () => {
    const { run, call } = await waiting('ada')
    chat.agentApi.delegationsHold = false
    decide(run, call, done)
    await expect
      .poll(() => runOf(run), { timeout: 5000 })
      .toMatchObject({ status: 'FAILED', error: { code: 'IDENTITY_EXPIRED' }, toolCalls: [{ status: 'CANCELLED' }] })
    expect(sentOf(call)).toBe(1)
  })

  test('tells of it once as an event', async () => {
    const { run, call } = await waiting('ada')
    decide(run, call, done)
    const stream = await chat.as('ada').stream(
      `subscription ($id: ID!) { chatRunEvents(runId: $id) { seq event { kind: __typename
        ... on ChatApprovalRequested { approval { id } } ... on ChatToolCallChanged { toolCall { status } } } } }`,
      { id: run },
    )
    const events = await stream.rest()
    expect(events.flatMap(({ seq, event }) => (seq === null ? [] : [[event.kind, event.toolCall?.status]]))).toEqual([
      ['ChatToolCallChanged', 'PROPOSED'],
      ['ChatToolCallChanged', 'RUNNING'],
      ['ChatToolCallChanged', 'AWAITING_APPROVAL'],
      ['ChatApprovalRequested', undefined],
      ['ChatToolCallChanged', 'RUNNING'],
      ['ChatToolCallChanged', 'SUCCEEDED'],
      ['ChatRunEnded', undefined],
    ])
    expect(stream.errors).toEqual([])
  })
})
