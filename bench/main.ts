import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { contestants, measureGateways, workloads } from './gateway/run.ts'
import { measureDatabase } from './database/run.ts'
import { type DatabaseResult, type GatewayResult, renderPage, type SubgraphResult } from './render.ts'
import { measureSubgraphs } from './subgraph/run.ts'

// npm run bench -- gateway [runs] [requests] [contestants, with commas] [workloads, with commas]
// npm run bench -- subgraph [runs] [requests]
// npm run bench -- database [runs] [loads]
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
  const read = (one: string): unknown => JSON.parse(readFileSync(join(results, `${one}.json`), 'utf8'))
  const [gateway, subgraph, database] = ['gateway', 'subgraph', 'database'].map(read)
  writeFileSync(page, renderPage(gateway as GatewayResult, subgraph as SubgraphResult, database as DatabaseResult))
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
} else if (section === 'database') {
  const samples = await measureDatabase(Number(runs), Number(requests))
  save(section, { ...circumstances(Number(runs)), samples })
} else throw new TypeError(`There is no section ${section}.`)
