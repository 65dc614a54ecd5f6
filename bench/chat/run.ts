import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startModelServer } from '../../test/support/model-server.ts'
import { answerTo, nextAnswer, tool } from './script.ts'
import { amountOf, startSystem, type System } from './start-system.ts'
import { type Client, createClient } from './turns.ts'

/** How a user takes part, and where the model is. */
export const chatWays = ['waited', 'followed', 'server'] as const
export type ChatWay = (typeof chatWays)[number]

export interface TurnSample {
  readonly way: ChatWay
  readonly run: number
  readonly turns: number
  /** Milliseconds of CPU time of each turn. */
  readonly orchestrator: number
  readonly gateway: number
  /** Of the database, for each turn. */
  readonly transactions: number
  readonly wrong: number
}

export interface CrowdSample {
  /** Milliseconds that the model takes for each of its two answers. */
  readonly modelMs: number
  /** Runs at once that the orchestrator's process works. */
  readonly runConcurrency: number
  readonly users: number
  readonly turns: number
  readonly perSecond: number
  /** Milliseconds from a text to its answer. */
  readonly p50: number
  readonly p99: number
  readonly wrong: number
}

export interface IdleSample {
  readonly streams: number
  /** Bytes of each stream: of the heap after a collection, beside it, and of what the process has of the machine. */
  readonly gateway: { readonly heap: number; readonly external: number; readonly resident: number }
  readonly orchestrator: { readonly heap: number; readonly external: number; readonly resident: number }
}

export interface ChatSamples {
  readonly turns: readonly TurnSample[]
  readonly crowds: readonly CrowdSample[]
  readonly idle: IdleSample | null
}

const users = 200
const crowdMs = 15_000
const scripted = join(import.meta.dirname, 'orchestrator.ts')
/** The orchestrator is not started without a model in production; this one is never asked. */
const nobody = { MODEL_BASE_URL: 'http://127.0.0.1:9/v1', MODEL_NAME: 'm' }

/**
 * @param options.turns - of each way in each run, eight at a time
 * @param options.only - parts to measure: ways, `crowd`, `idle`
 */
export async function measureChat(options: {
  readonly runs: number
  readonly turns: number
  readonly only: readonly string[]
}): Promise<ChatSamples> {
  const { runs, turns, only } = options
  const samples: TurnSample[] = []
  const crowds: CrowdSample[] = []
  let idle: IdleSample | null = null

  async function take(system: System, way: ChatWay, client: Client): Promise<void> {
    const one = client[way === 'followed' ? 'follow' : 'wait']
    await together(8, turns, (index) => one(...userOf(system, index)))
    for (let run = 0; run < runs; run++) {
      let wrong = 0
      let orchestrator = 0
      const before = await system.transactions()
      const gateway = await system.gateway.during(way, async () => {
        orchestrator = await system.orchestrator.during(way, async () => {
          ;({ wrong } = await together(8, turns, (index) => one(...userOf(system, index))))
        })
      })
      const sample = {
        way,
        run,
        turns,
        orchestrator: orchestrator / turns,
        gateway: gateway / turns,
        transactions: ((await system.transactions()) - before) / turns,
        wrong,
      }
      console.log(
        `${run} ${way}: orchestrator ${sample.orchestrator.toFixed(2)} ms, gateway ${sample.gateway.toFixed(2)} ms, ${sample.transactions.toFixed(1)} transactions, ${wrong} wrong`,
      )
      samples.push(sample)
    }
  }

  const inProcess = chatWays.filter((way) => way !== 'server' && only.includes(way))
  if (inProcess.length > 0 || only.includes('idle'))
    await withSystem({ script: scripted, env: nobody }, async (system, client) => {
      for (const way of inProcess) await take(system, way, client)
      if (only.includes('idle')) idle = await measureIdle(system, client, 1000)
    })
  if (only.includes('server')) {
    await using model = await startModelServer()
    model.reply = ({ messages }) => {
      model.requests.length = 0
      const last = messages.at(-1)
      if (last?.role !== 'tool') return { call: tool, arguments: '{}' }
      const outcome = { ok: true, result: last.content, truncated: false } as const
      return nextAnswer([{ role: 'tool', call: '', name: tool, outcome }]) as { text: string }
    }
    const env = { MODEL_BASE_URL: model.baseUrl, MODEL_NAME: 'm' }
    await withSystem({ script: appScript, env }, (system, client) => take(system, 'server', client))
  }
  if (only.includes('crowd'))
    for (const [modelMs, runConcurrency] of [
      [0, 20],
      [500, 20],
      [500, 200],
    ] as const) {
      const env = { ...nobody, MODEL_MS: String(modelMs), RUN_CONCURRENCY: String(runConcurrency) }
      await withSystem({ script: scripted, env }, async (system, client) => {
        const one = (index: number) => client.wait(...userOf(system, index))
        await together(users, users, one)
        // Three of each user, or as many as begin in time on a machine that does other things.
        const { seconds, durations, wrong } = await together(users, 3 * users, one, crowdMs)
        const crowd = {
          modelMs,
          runConcurrency,
          users,
          turns: durations.length,
          perSecond: durations.length / seconds,
          p50: rank(durations, 0.5),
          p99: rank(durations, 0.99),
          wrong,
        }
        console.log(`crowd ${JSON.stringify(crowd)}`)
        crowds.push(crowd)
      })
    }
  return { turns: samples, crowds, idle }
}

const appScript = join(import.meta.dirname, '..', '..', 'apps', 'orchestrator', 'src', 'main.ts')

async function withSystem(
  orchestrator: Parameters<typeof startSystem>[0]['orchestrator'],
  work: (system: System, client: Client) => Promise<void>,
): Promise<void> {
  await using system = await startSystem({ users, orchestrator })
  let told = false
  const client = createClient(system.url, (text) => {
    if (!told) console.error(text)
    told = true
  })
  try {
    await work(system, client)
  } catch (error) {
    for (const each of [system.gateway, system.orchestrator])
      console.error(`${each.name}: ${each.printed().slice(-1000)}`)
    throw error
  } finally {
    await client.close()
  }
}

const userOf = ({ tokens }: System, index: number) =>
  [tokens[index % users] ?? '', answerTo(amountOf(index % users))] as const

async function measureIdle(system: System, client: Client, streams: number): Promise<IdleSample> {
  const [token = ''] = system.tokens
  const run = await client.hold(token)
  const open = (count: number) => together(20, count, () => client.open(token, run).then(() => true))
  const held = () => Promise.all([system.gateway.held(), system.orchestrator.held()])
  // What is allocated once is not what a stream holds.
  await open(200)
  await pause(1000)
  const before = await held()
  await open(streams)
  await pause(1000)
  const after = await held()
  const of = (index: 0 | 1) => ({
    heap: (after[index].heapUsed - before[index].heapUsed) / streams,
    external: (after[index].external - before[index].external) / streams,
    resident: (after[index].resident - before[index].resident) / streams,
  })
  const sample = { streams, gateway: of(0), orchestrator: of(1) }
  console.log(`idle ${JSON.stringify(sample)}`)
  return sample
}

/** So many at a time, as many in all; each says whether it was answered as it has to be. */
async function together(
  atOnce: number,
  count: number,
  work: (index: number) => Promise<boolean>,
  beginWithinMs = Infinity,
): Promise<{ readonly seconds: number; readonly durations: readonly number[]; readonly wrong: number }> {
  const durations: number[] = []
  let next = 0
  let wrong = 0
  const begun = performance.now()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let index = next++; index < count; index = next++) {
        if (index >= atOnce && performance.now() - begun > beginWithinMs) return
        const sent = performance.now()
        if (!(await work(index))) wrong++
        durations.push(performance.now() - sent)
      }
    }),
  )
  return { seconds: (performance.now() - begun) / 1000, durations, wrong }
}

const rank = (values: readonly number[], at: number) =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * at)] ?? Number.NaN
