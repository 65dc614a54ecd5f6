import { middle } from '../middle.ts'
import { type Circumstances, circumstances, type Section, when } from '../section.ts'
import { calls, type Contestant, contestants, measureGateways, type Sample, type Workload, workloads } from './run.ts'

export interface GatewayResult extends Circumstances {
  readonly runs: number
  /** Of each kind of requests, in each run. */
  readonly seconds: number
  readonly samples: readonly Sample[]
}

/** [runs] [seconds] [contestants, with commas] [workloads, with commas]: eight minutes */
export const gateway: Section<GatewayResult> = {
  async measure([runs = '5', seconds = '2', only = contestants.join(), of = workloads.join()], save) {
    await measureGateways({
      runs: Number(runs),
      seconds: Number(seconds),
      only: contestants.filter((name) => only.split(',').includes(name)),
      of: workloads.filter((name) => of.split(',').includes(name)),
      save: (samples) => save({ ...circumstances(), runs: Number(runs), seconds: Number(seconds), samples }),
    })
  },
  render,
}

const titles: Record<Contestant, string> = {
  behalf: 'Behalf',
  'behalf-open': 'Behalf without a credential or rules (it signs what it sends all the same)',
  stock: '@apollo/gateway 2.14.4, Apollo Server 5.5.1, the same security',
  hive: 'Hive Gateway 2.15.1 (JS planner), JWT and HMAC',
  'hive-rust': 'Hive Gateway 2.15.1 with router-runtime 1.4.23 (Rust planner), JWT and HMAC',
  bare: 'node:http and three undici dispatches: the limit',
}
const asked: Record<Workload, string> = {
  fixed: 'one query, one user',
  users: "1,000 users' tokens",
  distinct: '1,000 operations',
  literals: 'every literal new',
  new: 'every operation new',
  alone: 'one connection',
  beside: 'one query, one user, in turn with calls',
  tool: 'the same as a tool, over MCP',
  'tool-before': 'the same as a tool, over MCP of 2025-11-25',
}

function render(result: GatewayResult): string {
  const { runs, seconds, samples, load } = result
  const shown = workloads.filter(
    (workload) => workload !== 'alone' && !calls.has(workload) && samples.some((each) => each.workload === workload),
  )
  const of = (contestant: Contestant, workload: Workload) =>
    samples.filter((each) => each.contestant === contestant && each.workload === workload)
  const present = contestants.filter((name) => samples.some((each) => each.contestant === name))
  const perCpu = (name: Contestant, workload: Workload) => middle(of(name, workload).map(({ cpu }) => 1_000_000 / cpu))
  const cell = (name: Contestant, workload: Workload) => {
    const all = of(name, workload)
    if (all.length === 0) return ''
    const rates = all.map(({ cpu }) => 1_000_000 / cpu)
    const wrong = all.reduce((sum, each) => sum + each.wrong, 0)
    const spread = `${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)}`
    return `**${middle(rates).toFixed(0)}** (${spread}; wall ${middle(all.map(({ perSecond }) => perSecond)).toFixed(0)})${wrong > 0 ? `, ${wrong} wrong` : ''}`
  }
  const rows = present.map((name) => `| ${titles[name]} | ${shown.map((each) => cell(name, each)).join(' | ')} |`)
  const ratios = present
    .filter((name) => name !== 'behalf')
    .map((name) => {
      const each = shown.map((workload) => {
        const peer = perCpu(name, name === 'bare' ? (shown[0] ?? workload) : workload)
        return (perCpu('behalf', workload) / peer).toFixed(2)
      })
      return `| Behalf : ${titles[name].split(',')[0]} | ${each.join(' | ')} |`
    })
  const latencies = present
    .filter((name) => of(name, 'alone').length > 0)
    .map((name) => `| ${titles[name]} | ${middle(of(name, 'alone').map(({ p50 }) => p50)).toFixed(2)} |`)
  const ofCalls = (workload: Workload) =>
    `${cell('behalf', workload)}, which is ${(perCpu('behalf', workload) / perCpu('behalf', 'beside')).toFixed(2)} of the same over \`/graphql\``
  const tool =
    of('behalf', 'beside').length > 0 && of('behalf', 'tool').length > 0
      ? `The same query as a tool that a client calls over MCP (\`tools/call\` without arguments), its result validated, and sent as text and as
structure, in turn with the same query over \`/graphql\`, which was answered at ${cell('behalf', 'beside')}:

- of 2026-07-28: ${ofCalls('tool')};
- of 2025-11-25: ${ofCalls('tool-before')}.\n\n`
      : ''
  const wrong = samples.reduce((sum, each) => sum + each.wrong, 0)
  // Of the two cores that are used.
  const waiting = Math.round((load ?? 0) / 2)
  const busy =
    waiting > 2
      ? `**For each core, ${waiting} processes waited.** What is measured so says who is faster, and hardly by how much: it is to be measured again on
a machine that does nothing else.\n\n`
      : ''

  return `## The gateway

For each kind of requests, after a warm-up, ${runs} runs of ${seconds} seconds; all gateways are there from the beginning and are asked in turn, in
alternating order; 64 connections. ${when(result)}.

One query, \`viewer\` and then the viewer's orders and balance in parallel: three requests to subgraphs. The gateway has one
core, and the young generation that Behalf is deployed with (\`--max-semi-space-size=32\`); what asks, and subgraphs that answer
from memory, have the other core. Every answer was compared with what it has to be:
${wrong} were wrong.

${busy}Requests for each second of the gateway's CPU time: median (least to most; wall: requests per second as they came).

| gateway | ${shown.map((each) => asked[each]).join(' | ')} |
|---|${shown.map(() => '---|').join('')}
${rows.join('\n')}

Ratios of the medians:

| | ${shown.map((each) => asked[each]).join(' | ')} |
|---|${shown.map(() => '---|').join('')}
${ratios.join('\n')}

${tool}Milliseconds from a request to its answer at one connection: median of the runs' medians. On a busy machine, a matter of who
is let run.

| gateway | one connection |
|---|---|
${latencies.join('\n')}
`
}
