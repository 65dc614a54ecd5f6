import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ToolOutcome } from '@behalf/identity'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { seedRun, startChat } from '../chat-fixture.ts'
import { callTool, say, scripted } from '../scripted-model-fixture.ts'
import { queueSchema } from './queue-migration.ts'
import { createReplicas } from './replica-fixture.ts'

/** Where a run is when its process is killed. */
const boundaries = [
  'model 0',
  'before call 1',
  'after call 1',
  'model 1',
  'before call 2',
  'after call 2',
  'model 2',
  'before approved call 3',
  'after approved call 3',
  'model 3',
] as const
type Boundary = (typeof boundaries)[number]

/** Two calls, then one that its user is asked for, then an answer; each says which it is of how many. */
const nextAnswer = (results: number) => (results < 3 ? callTool('get_balance', { n: results + 1 }) : say('Done.'))

let chat: Awaited<ReturnType<typeof startChat>>
let model: Awaited<ReturnType<typeof startModel>>
/** Runs that are where they are to be. */
const reached = new Set<string>()
/** What is held stays so: whoever waits there is dead by then. */
let holding = true
const boundaryOf = new Map<string, Boundary>()
const approved = new Set<string>()

beforeAll(async () => {
  chat = await startChat(
    scripted(({ messages }) => nextAnswer(messages.filter(({ role }) => role === 'tool').length)),
    0,
  )
  await chat.admin.query('create table effect (call text primary key, n integer not null, times integer not null)')
  model = await startModel()
  chat.agentApi.answer = perform
})
const processes = createReplicas(() => chat.env)
afterEach(processes.killAll)
afterAll(async () => {
  await chat[Symbol.asyncDispose]()
  model.close()
})

async function hold(run: string, at: string): Promise<void> {
  if (!holding || boundaryOf.get(run) !== at) return
  reached.add(run)
  await new Promise(() => undefined)
}

/** A tool whose effect, as in a subgraph, is stored once under the id of its call. */
async function perform(sent: { run: string; call: string; arguments: unknown }): Promise<ToolOutcome> {
  const { n } = sent.arguments as { n: number }
  const { run, call } = sent
  if (n === 3 && !approved.has(call)) {
    if (boundaryOf.get(run)?.includes('approved') || boundaryOf.get(run) === 'model 3') {
      approved.add(call)
      chat.agentApi.resolved.push({
        sequence: chat.agentApi.resolved.length + 1,
        approval: `apr_${call}`,
        run,
        call,
        state: 'APPROVED',
      })
    }
    const expiresAt = new Date(Date.now() + 600_000).toISOString()
    return {
      ok: false,
      error: { code: 'APPROVAL_REQUIRED', message: 'x' },
      approval: { id: `apr_${call}`, summary: 's', argumentsHash: 'h', expiresAt },
    }
  }
  const name = `${n === 3 ? 'approved ' : ''}call ${n}`
  await hold(run, `before ${name}`)
  await chat.admin.query(
    `insert into effect values ($1, $2, 1) on conflict (call) do update set times = effect.times + 1`,
    [call, n],
  )
  await hold(run, `after ${name}`)
  return { ok: true, result: { n }, truncated: false }
}

/** Says what the replicas of this process say, but stops where a run is to be killed. It knows the run by its text. */
async function startModel() {
  const server = createServer((request, response) => {
    void (async () => {
      let text = ''
      for await (const chunk of request) text += String(chunk)
      const { messages } = JSON.parse(text) as { messages: { role: string; content?: unknown }[] }
      const results = messages.filter(({ role }) => role === 'tool').length
      const run = String(
        (await chat.admin.query('select run_id from message where text = $1', [textOf(messages)])).rows[0].run_id,
      )
      await hold(run, `model ${results}`)
      const message =
        results < 3
          ? {
              role: 'assistant',
              content: null,
              tool_calls: [
                {
                  index: 0,
                  id: 'x',
                  type: 'function',
                  function: { name: 'get_balance', arguments: `{"n":${results + 1}}` },
                },
              ],
            }
          : { role: 'assistant', content: 'Done.' }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const chunk = (delta: object, finish: string | null) =>
        response.write(
          `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 0, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
        )
      chunk(message, null)
      chunk({}, results < 3 ? 'tool_calls' : 'stop')
      response.end('data: [DONE]\n\n')
    })().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function textOf(messages: readonly { role: string; content?: unknown }[]): string {
  const content = messages.find(({ role }) => role === 'user')?.content
  return typeof content === 'string' ? content : String((content as { text: string }[])[0]?.text)
}

describe('[P13] a process that is killed', () => {
  test('at every boundary, is followed by another within 10 s, and everything is done once', async () => {
    const doomed = await processes.start({ MODEL_BASE_URL: model.url })
    for (const boundary of boundaries) {
      const run = await seedRun(chat.admin, 'usr_ada', `Stop at ${boundary}.`)
      boundaryOf.set(run, boundary)
      await chat.admin.query(`select ${queueSchema}.add_job('run', $1::json)`, [
        JSON.stringify({ run, subject: 'usr_ada', tenant: 'acme' }),
      ])
    }
    await expect
      .poll(() => new Set([...reached].map((run) => boundaryOf.get(run))), { timeout: 60_000 })
      .toEqual(new Set(boundaries))

    await doomed.end('SIGKILL')
    holding = false
    await chat.start()
    const started = performance.now()
    const waitsOrDone = `select 1 from run where status not in ('COMPLETED', 'AWAITING_APPROVAL')`
    await expect
      .poll(async () => (await chat.admin.query(waitsOrDone)).rowCount, { timeout: 10_000, interval: 20 })
      .toBe(0)
    expect(performance.now() - started).toBeLessThan(10_000)
    // The user decides what is left to decide.
    const { rows: waiting } = await chat.admin.query(
      `select id, run_id from tool_call where status = 'AWAITING_APPROVAL'`,
    )
    for (const { id: call, run_id: run } of waiting) {
      approved.add(call)
      chat.agentApi.resolved.push({
        sequence: chat.agentApi.resolved.length + 1,
        approval: `apr_${call}`,
        run,
        call,
        state: 'APPROVED',
      })
    }
    await expect
      .poll(async () => (await chat.admin.query(`select 1 from run where status <> 'COMPLETED'`)).rowCount, {
        timeout: 10_000,
      })
      .toBe(0)

    const { rows } = await chat.admin.query(
      `select run_id, array_agg(n order by n) as effects, max(times) as times from effect join tool_call on call = id group by run_id`,
    )
    expect(rows).toHaveLength(boundaries.length)
    for (const { run_id: run, effects, times } of rows) {
      expect({ at: boundaryOf.get(run), effects }).toEqual({ at: boundaryOf.get(run), effects: [1, 2, 3] })
      // Sent again only where it was not known whether it had arrived.
      expect(times).toBe(boundaryOf.get(run)?.startsWith('after') ? 2 : 1)
    }
  }, 180_000)
})
