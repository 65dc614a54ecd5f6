import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { metrics } from '@opentelemetry/api'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type RecordingMeter, recordMetrics } from '../fixtures/recording-meter.ts'
import { rule } from '../fixtures/rule.ts'
import { sendRaw, startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import { openStream, startNotices } from '../stream/stream-fixture.ts'
import { isMeasured } from './meter.ts'

const most = 3
let meter: RecordingMeter
let gateway: TestGateway
beforeEach(async () => {
  meter = recordMetrics()
  gateway = await startTestGateway({
    watchGraph: false,
    rules: { 'Query.people': rule({ authenticated: true }) },
    limits: { concurrentRequests: most, anonymous: { requests: 100, refusedCredentials: null } },
  })
})
afterEach(async () => {
  await gateway[Symbol.asyncDispose]()
  meter[Symbol.dispose]()
})

const values = (name: string, attribute?: string) =>
  meter.of(name).map(({ value, attributes }) => (attribute === undefined ? value : attributes[attribute]))
async function isClosed(count: number): Promise<void> {
  await expect.poll(() => values('http.server.request.duration').length, { timeout: 20_000 }).toBe(count)
}

describe('the gateway measures', () => {
  it('how long requests take, by what is known beforehand', async () => {
    await gateway.ask('query Hush($hush: Int) { chatBackend }', { variables: { hush: 1 } })
    await gateway.ask('{ chatBackend }', { token: 'hush' })
    await gateway.send('/hush-hush')
    await gateway.send('/healthz', { internal: true })
    await isClosed(4)
    expect(meter.of('http.server.request.duration')).toEqual(
      [
        { 'http.request.method': 'POST', 'http.route': '/graphql', 'http.response.status_code': 200 },
        { 'http.request.method': 'POST', 'http.route': '/graphql', 'http.response.status_code': 401 },
        { 'http.request.method': 'GET', 'http.response.status_code': 404 },
        { 'http.request.method': 'GET', 'http.route': '/healthz', 'http.response.status_code': 200 },
      ].map((attributes) => ({
        name: 'http.server.request.duration',
        value: expect.any(Number) as number,
        attributes: { 'url.scheme': 'http', ...attributes },
      })),
    )
    for (const value of values('http.server.request.duration')) expect(value).toBeLessThan(60)
    expect(values('http.server.active_requests')).toEqual([1, -1, 1, -1, 1, -1, 1, -1])
  })

  it('no series for each thing that a client can think of', async () => {
    const count = 30
    for (let index = 0; index < count; index++) {
      await sendRaw(gateway.url, {
        method: 'GET',
        path: `/hush/${index}?hush=${index}`,
        headers: [],
        host: `hush${index}`,
      })
      await gateway.ask(`query Hush${index} { hush${index} }`, {
        headers: { 'user-agent': `hush${index}`, 'x-forwarded-proto': `hush${index}` },
      })
    }
    for (const method of ['PROPFIND', 'MKCOL', 'PURGE'])
      await sendRaw(gateway.url, { method, path: '/graphql', headers: [] })
    await isClosed(2 * count + 3)
    expect(JSON.stringify(meter.measured)).not.toContain('hush')
    const series = new Set(meter.of('http.server.request.duration').map(({ attributes }) => attributes))
    expect(series.size).toBeLessThan(6)
    expect(values('http.server.request.duration', 'http.request.method')).toContain('_OTHER')
    expect(JSON.stringify(meter.measured)).not.toMatch(/PROPFIND|MKCOL|PURGE/)
  })

  it('that a client did not wait', async () => {
    const held = Promise.withResolvers<void>()
    gateway.graph.users.misbehave = () => held.resolve()
    const client = httpRequest(`${gateway.url}/graphql?query={whoami}`)
    client.on('error', () => undefined).end()
    await held.promise
    client.destroy()
    await isClosed(1)
    expect(meter.of('http.server.request.duration')[0]?.attributes).toEqual({
      'http.request.method': 'GET',
      'url.scheme': 'http',
      'http.route': '/graphql',
      'error.type': 'client_gone',
    })
    expect(values('http.server.active_requests')).toEqual([1, -1])
  })

  it('what is refused, by code, and what is withheld of the rest', async () => {
    await gateway.ask('{ chatBackend }', { token: 'not.a.token' })
    await gateway.ask('{ nothing }')
    await gateway.ask('{ chatBackend people { id } again: people { points } }')
    await gateway.ask('{ chatBackend }')
    expect(values('behalf.gateway.requests.refused', 'behalf.code')).toEqual([
      'CREDENTIAL_INVALID',
      'GRAPHQL_VALIDATION_FAILED',
    ])
    expect(values('behalf.gateway.fields.denied', 'behalf.code')).toEqual(['UNAUTHENTICATED'])
    for (let count = 0; count < 100; count++) await gateway.ask('{ chatBackend }')
    const limited = values('behalf.gateway.limits.exceeded', 'behalf.limit')
    expect(new Set(limited)).toEqual(new Set(['address.requests']))
    expect(values('behalf.gateway.requests.refused', 'behalf.code').slice(2)).toEqual(limited.map(() => 'RATE_LIMITED'))
  })

  it('how long each subgraph takes, and what became of it', async () => {
    await gateway.ask('{ whoami chatBackend }')
    gateway.graph.users.misbehave = (response) => response.writeHead(500).end('hush')
    await gateway.ask('{ whoami chatBackend }')
    const name = 'behalf.gateway.subgraph.duration'
    const outcomes = meter.of(name).map(({ attributes }) => attributes)
    expect(outcomes).toHaveLength(4)
    expect(outcomes).toEqual(
      expect.arrayContaining([
        { 'behalf.subgraph': 'users', 'behalf.outcome': 'OK' },
        { 'behalf.subgraph': 'chat', 'behalf.outcome': 'OK' },
        { 'behalf.subgraph': 'users', 'behalf.outcome': 'SUBGRAPH_INVALID_RESPONSE' },
      ]),
    )
    for (const value of values(name)) expect(value).toBeLessThan(60)
  })

  it('what is more than can be answered', async () => {
    const held: (() => void)[] = []
    gateway.graph.users.misbehave = (response) =>
      void held.push(() => response.setHeader('content-type', 'application/json').end('{"data":{"whoami":"x"}}'))
    const running = Array.from({ length: most }, () => gateway.ask('{ whoami }'))
    await expect.poll(() => held.length).toBe(most)
    expect((await gateway.ask('{ chatBackend }')).status).toBe(503)
    expect(values('behalf.gateway.requests.shed')).toEqual([1])
    for (const release of held) release()
    await Promise.all(running)
    await isClosed(most + 1)
    expect(values('http.server.request.duration', 'error.type').filter((type) => type !== undefined)).toEqual(['503'])
  })

  it('how things are when it is asked, and no more once it is closed', async () => {
    meter.measured.length = 0
    meter.collect()
    expect(Object.fromEntries(meter.measured.map(({ name, value }) => [name, value]))).toEqual({
      'behalf.gateway.graph.age': expect.any(Number) as number,
      'behalf.gateway.graph.current': 1,
      'behalf.gateway.streams.open': 0,
      'behalf.gateway.revocations.age': 0,
    })
    gateway.graphFile.write('{')
    await gateway.reload()
    meter.measured.length = 0
    meter.collect()
    expect(values('behalf.gateway.graph.current')).toEqual([0])
    await gateway.close()
    meter.measured.length = 0
    meter.collect()
    expect(meter.measured).toEqual([])
  })
})

it('the gateway tells how many streams are open', async () => {
  await using system = await startNotices()
  const open = () => {
    meter.measured.length = 0
    meter.collect()
    return values('behalf.gateway.streams.open').reduce((sum: number, value) => sum + Number(value), 0)
  }
  const stream = await openStream(system, 'subscription { notice { text } }', { token: await system.token() })
  await expect.poll(() => system.notices.listeners).toBe(1)
  expect(open()).toBe(1)
  await stream[Symbol.asyncDispose]()
  await expect.poll(open).toBe(0)
})

describe('docs/reference/metrics.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/metrics.md'), 'utf8')
  const [, ofGateway = ''] = /\n## Gateway\n(.*?)\n## /s.exec(page) ?? []
  const rows = Array.from(
    ofGateway.matchAll(/^\| `([\w.]+)` \| ([\w -]+) \| `(.+?)` \| (.*?) \|/gm),
    ([, name = '', kind, unit, attributes = '']) => ({ name, kind, unit, attributes }),
  )

  it('has every instrument that there is, and no other', () => {
    const made = Array.from(meter.instruments, ([name, { kind, unit }]) => [name, kind, unit].join())
    expect(made.length).toBeGreaterThan(8)
    expect(rows.map(({ name, kind, unit }) => [name, kind, unit].join()).toSorted()).toEqual(made.toSorted())
  })

  it('has every attribute', async () => {
    await gateway.ask('{ nothing people { id } }', { token: 'not.a.token' })
    await gateway.ask('{ whoami people { id } }')
    gateway.graphFile.write('{')
    await gateway.reload()
    await isClosed(2)
    meter.collect()
    const documented = new Map(rows.map(({ name, attributes }) => [name, attributes]))
    const unknown = meter.measured.flatMap(({ name, attributes }) =>
      Object.keys(attributes).filter((key) => !documented.get(name)?.includes(`\`${key}\``)),
    )
    expect(unknown).toEqual([])
  })
})

it('nothing is put in the way of requests where nobody measures', () => {
  expect(isMeasured()).toBe(true)
  metrics.disable()
  expect(isMeasured()).toBe(false)
})
