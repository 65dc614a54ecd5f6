import type { ChatResult } from './chat/section.ts'
import type { DatabaseResult } from './database/section.ts'
import type { GatewayResult } from './gateway/section.ts'
import type { Contestant, Workload } from './gateway/run.ts'
import type { GrowthResult } from './growth/section.ts'
import { middle } from './middle.ts'
import { readResult } from './section.ts'
import type { SubgraphResult } from './subgraph/section.ts'

interface Goal {
  readonly what: string
  /** What is hoped for: at least, or at most. */
  readonly aim: { readonly least: number } | { readonly most: number }
  readonly unit?: string
  /** Undefined where nothing was measured. */
  readonly measured: number | undefined
}

/** What we set out to reach, and whether we did. */
export function renderGoals(): string {
  const rows = goals()
    .filter(({ measured }) => measured !== undefined && !Number.isNaN(measured))
    .map(({ what, aim, unit = '', measured = Number.NaN }) => {
      const [aimed, kept] =
        'least' in aim
          ? [`at least ${aim.least}`, measured >= aim.least]
          : [`at most ${aim.most}`, measured <= aim.most]
      return `| ${what} | ${aimed}${unit} | **${measured.toFixed(2)}**${unit} | ${kept ? 'yes' : 'no'} |`
    })
  return `| goal: ratios of medians | aimed at | measured | reached |
|---|---|---|---|
${rows.join('\n')}

Why those that are not reached are not, and what was tried: [performance-profile.md](performance-profile.md).
`
}

function goals(): Goal[] {
  return [...ofGateway(), ...ofSubgraph(), ...ofDatabase(), ...ofChat(), ...ofGrowth()]
}

function ofGateway(): Goal[] {
  const { samples = [] } = (readResult('gateway') ?? {}) as Partial<GatewayResult>
  const of = (contestant: Contestant, workload: Workload, what: 'cpu' | 'p50' = 'cpu') =>
    middle(
      samples.filter((each) => each.contestant === contestant && each.workload === workload).map((each) => each[what]),
    )
  /** How many requests Behalf does for each of its peer's. */
  const against = (peer: Contestant, workload: Workload) => of(peer, workload) / of('behalf', workload)
  return [
    { what: 'node:http and three undici dispatches', aim: { least: 0.75 }, measured: against('bare', 'fixed') },
    { what: 'stock @apollo/gateway, 1,000 users', aim: { least: 8 }, measured: against('stock', 'users') },
    { what: 'Hive, JS planner, 1,000 users', aim: { least: 12 }, measured: against('hive', 'users') },
    { what: 'Hive, Rust planner, 1,000 users', aim: { least: 8 }, measured: against('hive-rust', 'users') },
    { what: 'Hive, Rust planner, every literal new', aim: { least: 2 }, measured: against('hive-rust', 'literals') },
    { what: 'Hive, Rust planner, every operation new', aim: { least: 1 }, measured: against('hive-rust', 'new') },
    {
      what: 'latency at one connection, for that of node:http and three undici dispatches',
      aim: { most: 1.67 },
      measured: of('behalf', 'alone', 'p50') / of('bare', 'alone', 'p50'),
    },
    { what: 'the same without credentials and rules', aim: { least: 0.92 }, measured: against('behalf-open', 'fixed') },
    {
      what: '`tools/call` over MCP, for the same over `/graphql`',
      aim: { least: 0.8 },
      measured: of('behalf', 'beside') / of('behalf', 'tool'),
    },
  ]
}

function ofSubgraph(): Goal[] {
  const { samples = [] } = (readResult('subgraph') ?? {}) as Partial<SubgraphResult>
  const of = (name: SubgraphResult['samples'][number]['contestant']) =>
    middle(samples.filter(({ contestant }) => contestant === name).map(({ cpu }) => cpu))
  return [
    {
      what: 'a subgraph that verifies, for itself without',
      aim: { least: 0.9 },
      measured: of('believing') / of('verifying'),
    },
  ]
}

function ofDatabase(): Goal[] {
  const { samples = [] } = (readResult('database') ?? {}) as Partial<DatabaseResult>
  const of = (name: DatabaseResult['samples'][number]['contestant']) =>
    middle(samples.filter(({ contestant }) => contestant === name).map(({ roundTrips }) => roundTrips))
  return [
    {
      what: 'round trips that row-level security adds to a load',
      aim: { most: 1 },
      measured: of('bound') - of('plain'),
    },
  ]
}

function ofChat(): Goal[] {
  const { turns = [], crowds = [], idle = null } = (readResult('chat') ?? {}) as Partial<ChatResult>
  const waited = turns.filter(({ way }) => way === 'waited').map(({ orchestrator, gateway }) => orchestrator + gateway)
  return [
    { what: 'CPU time of a turn of a chat', aim: { most: 3 }, unit: ' ms', measured: middle(waited) },
    {
      what: 'p99 for p50 of 200 turns at once, at worst',
      aim: { most: 5 },
      measured: crowds.length > 0 ? Math.max(...crowds.map(({ p50, p99 }) => p99 / p50)) : undefined,
    },
    {
      what: 'heap of an idle stream, gateway',
      aim: { most: 20 },
      unit: ' KB',
      measured: idle === null ? undefined : idle.gateway.heap / 1000,
    },
  ]
}

function ofGrowth(): Goal[] {
  const { parts } = (readResult('growth') ?? {}) as Partial<GrowthResult>
  const start = parts?.subgraphs?.rows.find(({ what }) => what.startsWith('start'))
  const last = start?.costs.at(-1)
  return [
    {
      what: `start with ${last?.size} subgraphs`,
      aim: { most: 10 },
      unit: ' s',
      measured: last && last.cost / 1000,
    },
  ]
}
