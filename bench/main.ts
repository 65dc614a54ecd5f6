import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { contestants, measureGateways } from './gateway/run.ts'
import { renderGateways } from './gateway/render.ts'

// npm run bench -- gateway [runs] [seconds] [contestants, with commas]
const [section = 'gateway', runs = '5', seconds = '6', only = contestants.join()] = process.argv.slice(2)
if (section !== 'gateway') throw new TypeError(`There is no section ${section}.`)
const chosen = contestants.filter((name) => only.split(',').includes(name))
const samples = await measureGateways({ runs: Number(runs), seconds: Number(seconds), only: chosen })
const results = join(import.meta.dirname, 'results')
mkdirSync(results, { recursive: true })
const result = {
  measured: new Date().toISOString(),
  node: process.version,
  machine: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
  runs: Number(runs),
  seconds: Number(seconds),
  samples,
}
writeFileSync(join(results, 'gateway.json'), `${JSON.stringify(result, null, 2)}\n`)
writeFileSync(join(import.meta.dirname, '..', 'docs', 'reference', 'performance.md'), renderGateways(result))
