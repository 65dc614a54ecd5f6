import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'

/** A process with an instrument of each kind, and what is loaded of the SDK at its end. */
const main = `
import { createRequire } from 'node:module'
import { metrics } from ${JSON.stringify(import.meta.resolve('@opentelemetry/api'))}
import { runProcess } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}

await runProcess({
  name: 'notes',
  readConfig: () => ({ endpoint: process.env.ENDPOINT || null }),
  telemetryTo: ({ endpoint }) => endpoint,
  start: async () => {
    const meter = metrics.getMeter('notes')
    meter.createObservableGauge('notes.waiting').addCallback((result) => result.observe(7))
    const counter = meter.createCounter('notes.written')
    counter.add(1, { kind: 'first' })
    process.send('listening')
    return {
      close: async () => {
        counter.add(1, { kind: 'last' })
        const loaded = Object.keys(createRequire(import.meta.url).cache)
        process.send({ sdk: loaded.filter((path) => /opentelemetry.(sdk|exporter|otlp)/.test(path)).length })
      },
    }
  },
})
`
interface Point {
  readonly asDouble?: number
  readonly asInt?: number
  readonly attributes: readonly { readonly value: { readonly stringValue: string } }[]
}
interface Export {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue: string } }[] }
    readonly scopeMetrics: readonly {
      readonly metrics: readonly { name: string; sum?: { dataPoints: Point[] }; gauge?: { dataPoints: Point[] } }[]
    }[]
  }[]
}

let folder: string
let collector: Server
let received: { readonly url: string; readonly type: string | undefined; readonly body: string }[]
/** Whether it answers. */
let isThere: boolean
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-telemetry-'))
  await writeFile(join(folder, 'main.mjs'), main)
  received = []
  isThere = true
  collector = createServer(async (request, response) => {
    if (!isThere) return
    const body = Buffer.concat(await request.toArray()).toString()
    received.push({ url: request.url ?? '', type: request.headers['content-type'], body })
    response.setHeader('content-type', 'application/json').end('{}')
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
})
afterEach(async () => {
  collector.closeAllConnections()
  collector.close()
  await rm(folder, { recursive: true })
})

async function start(env: Record<string, string>) {
  const child = spawn(process.execPath, ['--conditions=@behalf/source', join(folder, 'main.mjs')], {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await once(child, 'message')
  return async () => {
    const told = once(child, 'message')
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const [{ sdk }] = (await told) as [{ sdk: number }]
    return { sdk, code: (await exited)[0] as number | null }
  }
}
const endpoint = () => `http://127.0.0.1:${(collector.address() as AddressInfo).port}/otlp/`
const exported = () => received.flatMap(({ body }) => (JSON.parse(body) as Export).resourceMetrics)
const pointsOf = (name: string) =>
  exported()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    .filter((metric) => metric.name === name)
    .flatMap(({ sum, gauge }) => (sum ?? gauge)?.dataPoints ?? [])
const kinds = () =>
  new Set(pointsOf('notes.written').flatMap(({ attributes }) => attributes.map(({ value }) => value.stringValue)))

it('sends metrics to the path of metrics, under the name of the process, as often as it is told', async () => {
  const end = await start({ ENDPOINT: endpoint(), OTEL_METRIC_EXPORT_INTERVAL: '50' })
  await expect.poll(() => pointsOf('notes.waiting').length, { timeout: 20_000 }).toBeGreaterThan(2)
  expect(pointsOf('notes.waiting')[0]).toMatchObject({ asDouble: 7 })
  expect(received[0]).toMatchObject({ url: '/otlp/v1/metrics', type: 'application/json' })
  expect(exported()[0]?.resource.attributes).toEqual(
    expect.arrayContaining([
      { key: 'service.name', value: { stringValue: 'notes' } },
      { key: 'service.namespace', value: { stringValue: 'behalf' } },
    ]),
  )
  expect((await end()).code).toBe(0)
})

it('sends at its end what was not sent yet', async () => {
  const end = await start({ ENDPOINT: endpoint() })
  expect(received).toEqual([])
  expect((await end()).code).toBe(0)
  expect(kinds()).toEqual(new Set(['first', 'last']))
})

it('is not kept by a collector that does not answer', async () => {
  isThere = false
  const end = await start({ ENDPOINT: endpoint(), OTEL_METRIC_EXPORT_INTERVAL: '50' })
  expect((await end()).code).toBe(0)
})

it('loads nothing of the SDK where there is no collector', async () => {
  const end = await start({})
  expect(await end()).toEqual({ sdk: 0, code: 0 })
  const withCollector = await start({ ENDPOINT: endpoint() })
  expect((await withCollector()).sdk).toBeGreaterThan(10)
})
