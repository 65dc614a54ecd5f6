import {
  createRunner,
  RunLost,
  type AgentApi,
  type DelegatedCall,
  type RunStore,
  type TakenRun,
} from '@behalf/orchestration'
import { postgres, storedCaller, type Postgres } from '@behalf/postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { balanceTool, seedRun, startChat } from '../chat-fixture.ts'
import type { Database } from '../database.ts'
import { callTool, say, scripted } from '../scripted-model-fixture.ts'
import { createRunStore } from './run-store.ts'

let chat: Awaited<ReturnType<typeof startChat>>
let db: Postgres<Database>
const ada = storedCaller({ subject: 'usr_ada', tenant: 'acme' })
const ben = storedCaller({ subject: 'usr_ben', tenant: 'acme' })

beforeAll(async () => {
  chat = await startChat(
    scripted(() => say('unused')),
    0,
  )
  db = postgres<Database>(chat.env.DATABASE_URL)
})
afterAll(async () => {
  await db.close()
  await chat[Symbol.asyncDispose]()
})

/** Two calls, then a third, then an answer: what comes next follows from what is stored. */
const backend = scripted(({ messages }) => {
  const results = messages.filter(({ role }) => role === 'tool').length
  if (results === 0) return [...callTool('get_balance', { n: 1 }).slice(0, 1), ...callTool('get_balance', { n: 2 })]
  return results === 2 ? callTool('get_balance', { n: 3 }) : say(`Done after ${results}.`)
})

class Killed extends Error {}

/** Dies at the `nth` write: before it reaches the database, or after, when nobody learns of it any more. */
function dying(store: RunStore, nth: number, when: 'before' | 'after'): RunStore {
  let writes = 0
  const die = async (write: () => Promise<void>) => {
    const last = ++writes === nth
    if (last && when === 'before') throw new Killed()
    await write()
    if (last) throw new Killed()
  }
  return {
    async take(run) {
      const taken = await store.take(run)
      return (
        taken &&
        ({
          ...taken,
          addStep: (step, follows) => die(() => taken.addStep(step, follows)),
          startCall: (id) => die(() => taken.startCall(id)),
          settleCall: (id, settled, follows) => die(() => taken.settleCall(id, settled, follows)),
          end: (end) => die(() => taken.end(end)),
        } satisfies TakenRun)
      )
    },
  }
}

function recordingApi() {
  const sent: DelegatedCall[] = []
  const effects = new Map<string, unknown>()
  const agentApi: AgentApi = {
    redeem: () => Promise.reject(new Error('not here')),
    tools: () => Promise.resolve([balanceTool]),
    watch: () => new Promise(() => undefined),
    modelContext: () => Promise.reject(new Error('not here')),
    resolvedApprovals: () => Promise.reject(new Error('not here')),
    call(call) {
      sent.push(call)
      // At most once per id, as the gateway and subgraphs have it.
      if (!effects.has(call.call)) effects.set(call.call, call.arguments)
      return Promise.resolve({ ok: true, result: effects.get(call.call), truncated: false })
    },
  }
  return { agentApi, sent, effects }
}

// Steps: 2 answers with calls, whose first is started with them, and 1 without, with which the run ends; calls: 3, each
// settled, and the second started with the end of the first.
const writes = 3 + 3

test.each(
  Array.from({ length: writes }, (_, index) => index + 1).flatMap(
    (nth) =>
      [
        [nth, 'before'],
        [nth, 'after'],
      ] as const,
  ),
)('a run whose process dies at write %i, %s it is durable, is continued and calls nothing twice', async (nth, when) => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  const { agentApi, sent, effects } = recordingApi()
  const { signal } = new AbortController()
  const store = createRunStore(db, ada)
  await expect(createRunner({ store: dying(store, nth, when), backend, agentApi }).run(run, signal)).rejects.toThrow(
    Killed,
  )
  await createRunner({ store, backend, agentApi }).run(run, signal)

  const { rows } = await chat.admin.query(
    'select id, arguments, status, result from tool_call where run_id = $1 order by step, position',
    [run],
  )
  expect(rows.map((row) => [row.arguments, row.status, row.result])).toEqual(
    [1, 2, 3].map((n) => [{ n }, 'SUCCEEDED', { n }]),
  )
  // However often they were sent, under one id each.
  expect(new Set(effects.keys())).toEqual(new Set(rows.map(({ id }) => id)))
  expect(sent.length).toBeLessThanOrEqual(4)
  const {
    rows: [ended],
  } = await chat.admin.query(
    'select status, (select count(*)::int from step where run_id = $1) as steps from run where id = $1',
    [run],
  )
  expect(ended).toEqual({ status: 'COMPLETED', steps: 3 })
  const texts = await chat.admin.query(`select text from message where run_id = $1 and role = 'ASSISTANT'`, [run])
  expect(texts.rows).toEqual([{ text: 'Done after 3.' }])
})

test('who took a run before can write no more', async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  const store = createRunStore(db, ada)
  const first = await store.take(run)
  const step = { text: 'x', reason: 'done', usage: null, calls: [] } as const
  await first?.addStep(step)
  const second = await store.take(run)
  expect(second?.steps).toEqual([step])
  expect(second?.startedAt).toBe(first?.startedAt)
  await expect(first?.addStep(step)).rejects.toThrow(RunLost)
  await expect(first?.end({ status: 'COMPLETED', code: null, retryAfterMs: null, text: 'stale' })).rejects.toThrow(
    RunLost,
  )
  await second?.end({ status: 'COMPLETED', code: null, retryAfterMs: null, text: 'fresh' })
  await expect(second?.addStep(step)).rejects.toThrow(RunLost)
  expect(await store.take(run)).toBeNull()
})

test('the end of a run is stored with its last step, or neither is', async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  const store = createRunStore(db, ada)
  const step = { text: 'Done.', reason: 'done', usage: null, calls: [] } as const
  const end = { status: 'COMPLETED', code: null, retryAfterMs: null, text: 'Done.' } as const
  const lost = await store.take(run)
  const taken = await store.take(run)
  await expect(lost?.addStep(step, { end })).rejects.toThrow(RunLost)
  const stored = async () =>
    (
      await chat.admin.query(
        `select status, (select count(*)::int from step where run_id = $1) as steps,
         (select text from message where run_id = $1 and role = 'ASSISTANT') as text from run where id = $1`,
        [run],
      )
    ).rows
  expect(await stored()).toEqual([{ status: 'RUNNING', steps: 0, text: null }])
  await taken?.addStep(step, { end })
  expect(await stored()).toEqual([{ status: 'COMPLETED', steps: 1, text: 'Done.' }])
  expect(await store.take(run)).toBeNull()
})

test('a call that is started with what came before it was sent, for all that is known', async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  const taken = await createRunStore(db, ada).take(run)
  const [first = '', second = '', third = ''] = [1, 2, 3].map((n) => `call_00000000-0000-4000-9000-00000000000${n}`)
  const calls = [first, second, third].map((id) => ({ id, name: 't', arguments: {}, outcome: null }))
  await taken?.addStep({ text: '', reason: 'done', usage: null, calls }, { start: first })
  const outcome = { ok: true, result: 1, truncated: false } as const
  await taken?.settleCall(first, { status: 'SUCCEEDED', outcome }, { start: second })
  const { rows } = await chat.admin.query(
    'select tool_call_id as call, status from run_event where run_id = $1 order by seq',
    [run],
  )
  expect(rows).toEqual([
    ...calls.map(({ id }) => ({ call: id, status: 'PROPOSED' })),
    { call: first, status: 'RUNNING' },
    { call: first, status: 'SUCCEEDED' },
    { call: second, status: 'RUNNING' },
  ])
  await taken?.end({ status: 'INCOMPLETE', code: 'BUDGET_EXCEEDED', retryAfterMs: null, text: '' })
  const ended = await chat.admin.query('select status, error_code from tool_call where run_id = $1 order by position', [
    run,
  ])
  expect(ended.rows).toEqual([
    { status: 'SUCCEEDED', error_code: null },
    { status: 'CANCELLED', error_code: 'OUTCOME_UNKNOWN' },
    { status: 'CANCELLED', error_code: null },
  ])
})

test("another user's run cannot be taken", async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  expect(await createRunStore(db, ben).take(run)).toBeNull()
  expect(await createRunStore(db, ada).take(run)).not.toBeNull()
})

test('a call that was sent and not answered ends as unknown, one that was not sent as cancelled', async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  const taken = await createRunStore(db, ada).take(run)
  const ids = [1, 2].map((n) => `call_00000000-0000-4000-8000-00000000000${n}`)
  await taken?.addStep({
    text: '',
    reason: 'done',
    usage: null,
    calls: ids.map((id) => ({ id, name: 't', arguments: {}, outcome: null })),
  })
  await taken?.startCall(ids[0] as string)
  await taken?.end({
    status: 'INCOMPLETE',
    code: 'BUDGET_EXCEEDED',
    retryAfterMs: null,
    text: 'nul \0 and half \ud800',
  })
  const { rows } = await chat.admin.query(
    'select status, error_code from tool_call where run_id = $1 order by position',
    [run],
  )
  expect(rows).toEqual([
    { status: 'CANCELLED', error_code: 'OUTCOME_UNKNOWN' },
    { status: 'CANCELLED', error_code: null },
  ])
  const texts = await chat.admin.query(`select text from message where run_id = $1 and role = 'ASSISTANT'`, [run])
  expect(texts.rows).toEqual([{ text: 'nul  and half \ufffd' }])
})

test('what a result held comes back as it was, null included', async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  const store = createRunStore(db, ada)
  const id = 'call_00000000-0000-4000-8000-00000000000a'
  const taken = await store.take(run)
  await taken?.addStep({
    text: '',
    reason: 'done',
    usage: null,
    calls: [{ id, name: 't', arguments: { z: 1, a: '\0' }, outcome: null }],
  })
  await taken?.settleCall(id, { status: 'SUCCEEDED', outcome: { ok: true, result: null, truncated: true } })
  const again = await store.take(run)
  expect(again?.steps[0]?.calls).toEqual([
    { id, name: 't', arguments: { z: 1, a: '\0' }, outcome: { ok: true, result: null, truncated: true } },
  ])
})

test('[P13] what is decided between the question and the waiting is not missed; waiting takes none of its time', async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  const store = createRunStore(db, ada)
  const id = 'call_00000000-0000-4000-8000-00000000000b'
  const first = await store.take(run)
  await first?.addStep({
    text: '',
    reason: 'done',
    usage: null,
    calls: [{ id, name: 't', arguments: {}, outcome: null }],
  })
  const expiresAt = new Date(Date.now() + 60_000).toISOString()
  const waiting = [{ call: id, approval: { id: 'apr_1', summary: 's', argumentsHash: 'h', expiresAt } }]
  const state = async () =>
    (await chat.admin.query('select status from run where id = $1', [run])).rows[0].status as string
  await chat.admin.query('update orchestrator_queue.decisions set heard = heard + 1')
  expect(await first?.wait(waiting)).toBe(false)
  expect(await state()).toBe('RUNNING')

  const second = await store.take(run)
  expect(await second?.wait(waiting)).toBe(true)
  expect(await state()).toBe('AWAITING_APPROVAL')
  await expect(second?.wait(waiting)).rejects.toThrow(RunLost)
  const { rows } = await chat.admin.query(
    'select run_at > now() as later from orchestrator_queue.jobs where key = $1',
    [run],
  )
  expect(rows).toEqual([{ later: true }])

  await chat.admin.query(
    `update run set waiting_since = waiting_since - interval '1 hour', started_at = started_at - interval '1 hour' where id = $1`,
    [run],
  )
  const third = await store.take(run)
  expect(third?.steps[0]?.calls).toMatchObject([{ id, outcome: null, askedUntil: Date.parse(expiresAt) }])
  expect(Math.abs((third?.startedAt ?? 0) - (first?.startedAt ?? 0))).toBeLessThan(10_000)
  await third?.end({ status: 'COMPLETED', code: null, retryAfterMs: null, text: '' })
})
