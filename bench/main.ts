import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { contestants, measureGateways, workloads } from './gateway/run.ts'
import { renderGateways } from './gateway/render.ts'

// npm run bench -- gateway [runs] [requests] [contestants, with commas] [workloads, with commas]
const [section = 'gateway', runs = '5', requests = '5000', only = contestants.join(), of = workloads.join()] =
  process.argv.slice(2)
if (section !== 'gateway') throw new TypeError(`There is no section ${section}.`)
const chosen = contestants.filter((name) => only.split(',').includes(name))
const chosenWorkloads = workloads.filter((name) => of.split(',').includes(name))
const results = join(import.meta.dirname, 'results')
mkdirSync(results, { recursive: true })
await measureGateways({
  runs: Number(runs),
  requests: Number(requests),
  only: chosen,
  of: chosenWorkloads,
  save(samples, done) {
    const result = {
      measured: new Date().toISOString(),
      node: process.version,
      machine: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
      runs: done,
      requests: Number(requests),
      load: loadavg()[0],
      samples,
    }
    writeFileSync(join(results, 'gateway.json'), `${JSON.stringify(result, null, 2)}\n`)
    writeFileSync(join(import.meta.dirname, '..', 'docs', 'reference', 'performance.md'), renderGateways(result))
  },
})
