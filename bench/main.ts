import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { type ChatResult, renderChat } from './chat/render-chat.ts'
import { chatWays, measureChat } from './chat/run.ts'
import { contestants, measureGateways, workloads } from './gateway/run.ts'
import { type GrowthResult, renderGrowth } from './growth/render-growth.ts'
import { growthParts, measureGrowth } from './growth/run.ts'
import { type GatewayResult, renderPage, type SubgraphResult } from './render.ts'
import { measureSubgraphs } from './subgraph/run.ts'

// npm run bench -- gateway [runs] [requests] [contestants, with commas] [workloads, with commas]
// npm run bench -- subgraph [runs] [requests]
// npm run bench -- chat [runs] [turns] [waited,followed,server,crowd,idle]: three minutes
// npm run bench -- growth [tools,subgraphs,audit,streams] [audit events at most; 10000000 takes ten minutes]: six minutes
const [section = 'gateway', runs = '5', requests = '5000', only = contestants.join(), of = workloads.join()] =
  process.argv.slice(2)
const results = join(import.meta.dirname, 'results')
const page = join(import.meta.dirname, '..', 'docs', 'reference', 'performance.md')

const circumstances = (done: number) => ({
  measured: new Date().toISOString(),
  node: process.version,
  machine: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
  runs: done,
  requests: Number(requests),
  load: loadavg()[0],
})

/** Keeps what a section measured, and writes the page anew with what is known of all of them. */
function save(name: string, result: object): void {
  mkdirSync(results, { recursive: true })
  writeFileSync(join(results, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
  const [chat, growth] = [read('chat'), read('growth')]
  const more = [chat && renderChat(chat as ChatResult), growth && renderGrowth(growth as GrowthResult)]
  writeFileSync(
    page,
    renderPage(
      read('gateway') as GatewayResult,
      read('subgraph') as SubgraphResult,
      more.filter((part) => part !== null),
    ),
  )
}

function read(name: string): object | null {
  const file = join(results, `${name}.json`)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as object) : null
}

if (section === 'gateway')
  await measureGateways({
    runs: Number(runs),
    requests: Number(requests),
    only: contestants.filter((name) => only.split(',').includes(name)),
    of: workloads.filter((name) => of.split(',').includes(name)),
    save: (samples, done) => save(section, { ...circumstances(done), samples }),
  })
else if (section === 'subgraph') {
  const samples = await measureSubgraphs(Number(runs), Number(requests))
  save(section, { ...circumstances(Number(runs)), samples })
} else if (section === 'chat') {
  const [, , , given = '2', turns = '150', parts = [...chatWays, 'crowd', 'idle'].join()] = process.argv
  const only = parts.split(',')
  const found = await measureChat({ runs: Number(given), turns: Number(turns), only })
  // What is measured again takes the place of what was, and leaves the rest.
  const known = read(section) as ChatResult | null
  const kept = (known?.turns ?? []).filter(({ way }) => !only.includes(way))
  save(section, {
    turns: [...kept, ...found.turns],
    crowds: only.includes('crowd') ? found.crowds : (known?.crowds ?? []),
    idle: found.idle ?? known?.idle ?? null,
    ...circumstances(Number(given)),
    requests: Number(turns),
  })
} else if (section === 'growth') {
  const [, , , parts = growthParts.join(), mostEvents = '1000000'] = process.argv
  const only = growthParts.filter((part) => parts.split(',').includes(part))
  // What is measured again takes the place of what was, and leaves the rest.
  await measureGrowth(only, Number(mostEvents), (part, rows) => {
    const known = (read(section) as GrowthResult | null)?.parts
    const { measured, load } = circumstances(1)
    save(section, { parts: { ...known, [part]: { measured, load, rows } } })
  })
} else throw new TypeError(`There is no section ${section}.`)
