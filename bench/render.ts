import type { Contestant, Sample, Workload } from './gateway/run.ts'
import { contestants, workloads } from './gateway/run.ts'
import { middle } from './middle.ts'
import type { SubgraphSample } from './subgraph/run.ts'

interface Circumstances {
  readonly measured: string
  readonly node: string
  readonly machine: string
  readonly runs: number
  readonly requests: number
  /** Processes that wanted to run, on average, at the end. */
  readonly load: number | undefined
}

export interface GatewayResult extends Circumstances {
  readonly samples: readonly Sample[]
}

export interface SubgraphResult extends Circumstances {
  readonly samples: readonly SubgraphSample[]
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
  tool: 'the same as a tool, over MCP',
  alone: 'one connection',
}

/**
 * The page as it stands in docs/reference.
 *
 * @param more - parts of it, of other sections
 */
export function renderPage(result: GatewayResult, subgraphs: SubgraphResult, more: readonly string[]): string {
  const { measured, node, machine, runs, requests, samples, load } = result
  const shown = workloads.filter(
    (workload) => workload !== 'alone' && workload !== 'tool' && samples.some((each) => each.workload === workload),
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
  const tool =
    of('behalf', 'tool').length > 0
      ? `The same query as a tool that a client calls over MCP (\`tools/call\`), its result validated: ${cell('behalf', 'tool')}, which is
${(perCpu('behalf', 'tool') / perCpu('behalf', 'fixed')).toFixed(2)} of the same over \`/graphql\`.\n\n`
      : ''
  const wrong = samples.reduce((sum, each) => sum + each.wrong, 0)
  // Of the two cores that are used.
  const waiting = Math.round((load ?? 0) / 2)
  const busy =
    waiting > 2
      ? `**For each core, ${waiting} processes waited.** What is measured so says who is faster, and hardly by how much: it is to be measured again on
a machine that does nothing else.\n\n`
      : ''

  return `# Performance

Written by \`npm run bench -- gateway\`, \`-- subgraph\`, \`-- chat\` and \`-- growth\` in [bench/](../../bench), from \`bench/results/\`. Measured ${measured.slice(0, 10)}
with Node ${node} on ${machine}: ${runs} runs of ${requests} requests of each kind after a
warm-up; all gateways are there from the beginning and are asked in turn, in alternating order; 64 connections. Load average of the machine at the end: ${load?.toFixed(1)}.

One query, \`viewer\` and then the viewer's orders and balance in parallel: three requests to subgraphs. The gateway has one
core; what asks, and subgraphs that answer from memory, have the other. Every answer was compared with what it has to be:
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

${[renderSubgraphs(subgraphs), ...more].join('\n')}
## How to read it

- CPU time is compared, since requests per second mean little on a machine that does other things, as this one did
  (requests per second as they came are in brackets). CPU time, too, is more where caches are shared: read ratios.
- All but the limit verify an access token (ES256; Behalf and stock keep what they found of one, Hive does as its plugin
  does) and tell each subgraph who calls: Behalf and stock by a token for the body (HS256), Hive by the claims, with an HMAC
  over the request.
- Behalf also authorizes each field, counts limits and makes its audit records.
- "Every literal new": the same query with another string each time. "Every operation new": other fields, in another order.
- Where the time goes is in [performance-profile.md](performance-profile.md).

## What is not claimed

- No database: revocations, limits and audit have a stand-in that answers at once. Subgraphs do not verify what they are sent.
- One query of one shape, on loopback, without TLS. Large answers, many subgraphs and slow ones are not in it.
- Of peers, nothing of memory, start, chats or growth.
- Peers are configured as their documentation has it, not tuned.
`
}

/** What safety costs where the data is. */
function renderSubgraphs({ measured, runs, requests, load, samples }: SubgraphResult): string {
  const of = (contestant: SubgraphSample['contestant']) =>
    middle(samples.filter((each) => each.contestant === contestant).map(({ cpu }) => cpu))
  const [verifying, trusting] = [of('verifying'), of('trusting')]
  const wrong = samples.reduce((sum, each) => sum + each.wrong, 0)
  return `## A subgraph

A fetch of an entity with three orders, answered from memory by a subgraph of this library, which verifies a context token for each
request and enforces scopes and owners, and by Apollo Server on node:http with the same schema and resolvers, which believes whoever
can reach it. ${measured.slice(0, 10)}, ${runs} runs of ${requests} requests in turn, load average ${load?.toFixed(1)}, ${wrong} answers wrong.

| | microseconds of CPU time for a request |
|---|---|
| verifying, with every rule | ${verifying.toFixed(0)} |
| trusting, with none | ${trusting.toFixed(0)} |

So it does ${(trusting / verifying).toFixed(2)} of the requests, without a database in either.
`
}
