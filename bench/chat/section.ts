import { middle } from '../middle.ts'
import { type Circumstances, circumstances, type Section, when } from '../section.ts'
import { type ChatSamples, type ChatWay, chatWays, type IdleSample, measureChat } from './run.ts'

export interface ChatResult extends ChatSamples, Circumstances {
  readonly runs: number
}

/** [runs] [turns] [waited,followed,server,crowd,idle]: three minutes */
export const chat: Section<ChatResult> = {
  async measure([runs = '5', turns = '150', parts = [...chatWays, 'crowd', 'idle'].join()], save, known) {
    const only = parts.split(',')
    const found = await measureChat({ runs: Number(runs), turns: Number(turns), only })
    // What is measured again takes the place of what was, and leaves the rest.
    save({
      turns: [...(known?.turns ?? []).filter(({ way }) => !only.includes(way)), ...found.turns],
      crowds: only.includes('crowd') ? found.crowds : (known?.crowds ?? []),
      idle: found.idle ?? known?.idle ?? null,
      ...circumstances(),
      runs: Number(runs),
    })
  },
  render,
}

const ways: Readonly<Record<ChatWay, string>> = {
  waited: 'one request, which waits for the answer',
  followed: 'one request, and a stream of the answer as it is written',
  server: 'one request, which waits; the model behind a server of the OpenAI protocol',
}

/** What a turn of a chat costs, how many there may be, and what waiting costs. */
function render({ runs, turns, crowds, idle, ...circumstances }: ChatResult): string {
  const rows = (Object.keys(ways) as ChatWay[]).flatMap((way) => {
    const of = turns.filter((each) => each.way === way)
    if (of.length === 0) return []
    const cost = (what: 'orchestrator' | 'gateway' | 'transactions') => middle(of.map((each) => each[what]))
    const sum = middle(of.map(({ orchestrator, gateway }) => orchestrator + gateway))
    return `| ${ways[way]} | ${cost('orchestrator').toFixed(1)} | ${cost('gateway').toFixed(1)} | **${sum.toFixed(1)}** | ${cost('transactions').toFixed(0)} |`
  })
  const wrong = [...turns, ...crowds].reduce((sum, each) => sum + each.wrong, 0)
  const crowdRows = crowds.map(
    ({ users, modelMs, runConcurrency, perSecond, p50, p99 }) =>
      `| ${users} at once, the model takes ${modelMs} ms twice, \`RUN_CONCURRENCY=${runConcurrency}\` | ${perSecond.toFixed(0)} | ${p50.toFixed(0)} | ${p99.toFixed(0)} | ${(p99 / p50).toFixed(1)} |`,
  )
  return `## A turn of a chat

A user asks, the model calls \`get_balance\` and tells what came of it. Gateway, orchestrator, the subgraphs of the example and PostgreSQL,
each a process of its own; the model plays a script, and takes no time unless it says so. ${when(circumstances)}, ${runs} runs;
${wrong} answers wrong.

| milliseconds of CPU time for a turn, eight at a time | orchestrator | gateway | both | transactions of the database |
|---|---|---|---|---|
${rows.join('\n')}

| turns at the same time, gateway and orchestrator on one core | turns a second | p50, ms | p99, ms | p99 : p50 |
|---|---|---|---|---|
${crowdRows.join('\n')}

${idle === null ? '' : renderIdle(idle)}`
}

function renderIdle({ streams, gateway, orchestrator }: IdleSample): string {
  const kb = (bytes: number) => `${(bytes / 1000).toFixed(1)} KB`
  return `Of ${streams} streams of a run that says nothing, each holds ${kb(gateway.heap)} of the gateway's heap and ${kb(gateway.external)} beside it, and
${kb(orchestrator.heap)} and ${kb(orchestrator.external)} of the orchestrator's. The resident sets grew by ${kb(gateway.resident)} and ${kb(orchestrator.resident)} a stream.
`
}
