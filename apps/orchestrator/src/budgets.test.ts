import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startChat } from './chat-fixture.ts'
import { callTool, held, say, scripted, type Script } from './scripted-model-fixture.ts'

let play: Script
let chat: Awaited<ReturnType<typeof startChat>>
beforeAll(async () => {
  chat = await startChat(
    scripted((request) => play(request)),
    2,
    { USER_RUNS: '3', USER_TOKENS_PER_DAY: '100', TENANT_TOKENS_PER_DAY: '150', RUN_CALLS_PER_STEP: '2' },
  )
})
afterAll(() => chat[Symbol.asyncDispose]())

const spent = { run: null, error: { code: 'BUDGET_EXCEEDED', retryable: false } }
const used = async () =>
  (await chat.admin.query('select subject, tokens::int from orchestrator_queue.token_usage order by subject')).rows

describe('[P15] through two replicas', () => {
  test('a user has so many runs at once, however many are asked for together', async () => {
    const model = held()
    play = model.script
    const sent = await Promise.all(
      Array.from({ length: 8 }, (_, n) => chat.as('ada').send({ text: 'go', waitMs: 0 }, { replica: n % 2 })),
    )
    const answers = sent.map(({ data }) => data.chatSend)
    expect(answers.filter(({ run }) => run !== null)).toHaveLength(3)
    expect(answers.filter(({ run }) => run === null)).toEqual(Array.from({ length: 5 }, () => spent))
    // Another user's are counted for them.
    expect((await chat.as('ben').send({ text: 'go', waitMs: 0 })).data.chatSend.error).toBeNull()
    model.go()
    await expect
      .poll(async () => (await chat.admin.query(`select 1 from run where status <> 'COMPLETED'`)).rowCount, {
        timeout: 10_000,
      })
      .toBe(0)
    expect(await used()).toEqual([
      { subject: '', tokens: 48 },
      { subject: 'usr_ada', tokens: 36 },
      { subject: 'usr_ben', tokens: 12 },
    ])
    play = () => say('Hi.')
    expect((await chat.as('ada').send({ text: 'go' })).data.chatSend.run.status).toBe('COMPLETED')
  })

  test('more calls in one answer than a step may have end the run, and none is made', async () => {
    const before = chat.agentApi.calls.length
    const [one, end] = callTool('get_balance')
    play = () => [one, one, one, end].flatMap((event) => event ?? [])
    expect((await chat.as('ben').send({ text: 'go' })).data.chatSend.run).toMatchObject({
      status: 'INCOMPLETE',
      error: { code: 'BUDGET_EXCEEDED' },
    })
    expect(chat.agentApi.calls).toHaveLength(before)
  })

  test("a run ends where its user's tokens of the day do, and no other begins; a tenant's the same", async () => {
    play = () => callTool('get_balance')
    const { run } = (await chat.as('ada').send({ text: 'go' })).data.chatSend
    expect(run).toMatchObject({ status: 'INCOMPLETE', error: { code: 'BUDGET_EXCEEDED' } })
    expect((await chat.as('ada').send({ text: 'go' }, { replica: 1 })).data.chatSend).toEqual(spent)

    play = () => say('Hi.')
    expect((await chat.as('ben').send({ text: 'go' })).data.chatSend.run.status).toBe('COMPLETED')
    await chat.admin.query(`update orchestrator_queue.token_usage set tokens = 150 where subject = ''`)
    expect((await chat.as('ben').send({ text: 'go' })).data.chatSend).toEqual(spent)
    // A new day.
    await chat.admin.query(`update orchestrator_queue.token_usage set day = day - 1`)
    for (const user of ['ada', 'ben'])
      expect((await chat.as(user).send({ text: 'go' })).data.chatSend.run.status).toBe('COMPLETED')
  })
})
