import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import type { Graph } from '@behalf/identity'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createGateway } from '../create-gateway.ts'
import { type GraphServer, startGraphServer } from '../fixtures/graph-server.ts'
import { createMemoryAuthority } from '../fixtures/memory-authority.ts'
import { type RecordingMeter, recordMetrics } from '../fixtures/recording-meter.ts'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import { openGraphSource } from './open-graph-source.ts'
import type { RemoteGraph } from './remote-graph.ts'

const token = 'hunter2-as-a-token'
const bounds = { everyMs: 20, timeoutMs: 2000, maxBytes: 1_000_000, token }
let meter: RecordingMeter
let gateway: TestGateway
let server: GraphServer
beforeAll(() => {
  meter = recordMetrics()
})
afterAll(() => meter[Symbol.dispose]())
const outcomes = () => meter.of('behalf.gateway.graph.reloads').map(({ attributes }) => attributes['behalf.outcome'])
const none = { requests: null, cost: null }
async function start(more: Partial<RemoteGraph> = {}): Promise<void> {
  meter.measured.length = 0
  gateway = await startTestGateway({
    limits: { user: none, tenant: none, anonymous: none },
    async from(graph) {
      server = await startGraphServer(readFileSync(graph.path, 'utf8'))
      return { url: server.url, ...bounds, ...more }
    },
  })
}
async function stop(): Promise<void> {
  await gateway[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
}

const change = (edit: (graph: Graph) => Partial<Graph>) => {
  const graph = JSON.parse(server.text) as Graph
  server.text = JSON.stringify({ ...graph, ...edit(graph) })
}
const status = async () => {
  const { text } = await gateway.send('/readyz?verbose', { internal: true })
  return (JSON.parse(text) as { graph: { hash: string; problem: { message: string; file: string } | null } }).graph
}
async function isServed(hash: string): Promise<void> {
  await expect.poll(status, { timeout: 20_000, interval: 5 }).toMatchObject({ hash, problem: null })
}
/** Waits until it was asked so often once more. */
async function areAsked(count: number): Promise<void> {
  const before = server.asked.length
  await expect.poll(() => server.asked.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(before + count)
}

describe('a graph that is served by HTTP', () => {
  beforeEach(() => start())
  afterEach(stop)

  it('is replaced without dropping a request', async () => {
    const over = new AbortController()
    const failures: unknown[] = []
    let answered = 0
    async function keepAsking(): Promise<void> {
      while (!over.signal.aborted) {
        const answer = await gateway.ask('{ chatBackend people { points } }').catch((error: unknown) => error as Error)
        answered++
        if (!('body' in answer) || answer.body.errors || answer.body.data?.['chatBackend'] !== 'none')
          failures.push('text' in answer ? answer.text : answer)
      }
    }
    const load = Array.from({ length: 4 }, keepAsking)
    for (let count = 0; count < 20; count++) {
      const before = answered
      change(() => ({ hash: `hash-${count}` }))
      await isServed(`hash-${count}`)
      await expect.poll(() => answered, { interval: 1, timeout: 20_000 }).toBeGreaterThan(before + 5)
    }
    over.abort()
    await Promise.all(load)
    expect(failures).toEqual([])
    expect(outcomes()).toEqual(Array.from({ length: 20 }, () => 'served'))
  })

  it('is not sent again to a gateway that has it', async () => {
    await areAsked(5)
    expect(server.asked.map((each) => each.status).slice(0, 5)).toEqual([200, 304, 304, 304, 304])
    expect(outcomes()).toEqual([])
    change(() => ({ hash: 'another' }))
    await isServed('another')
    await areAsked(3)
    expect(server.asked.filter((each) => each.status === 200)).toHaveLength(2)
  })

  it('is recognized by its bytes where it has no entity tag', async () => {
    server.misbehave = (_request, response) => response.end(server.text)
    await areAsked(5)
    expect(outcomes()).toEqual([])
    change(() => ({ hash: 'another' }))
    await isServed('another')
    expect(outcomes()).toEqual(['served'])
  })

  it('is asked for as it was said, and neither the token nor what follows the path is told anybody', async () => {
    await areAsked(1)
    expect(server.asked[0]).toMatchObject({
      url: `/released/graph.json?signature=${server.secret}`,
      headers: { authorization: `Bearer ${token}` },
    })
    await server.goDown()
    await expect.poll(async () => (await status()).problem, { timeout: 20_000 }).not.toBeNull()
    const { problem } = await status()
    expect(problem?.file).toBe(server.url.replace(/\?.*/, ''))
    const told = JSON.stringify([gateway.logs, problem])
    expect(told).toContain('/released/graph.json')
    expect(told).not.toContain('hunter2')
  })

  it('is looked for at once when it is asked to', async () => {
    change(() => ({ hash: 'another' }))
    expect(await gateway.reload()).toMatchObject({ hash: 'another', problem: null })
  })

  const faults: Record<string, (() => void | Promise<void>) | ((response: ServerResponse) => void)> = {
    'is gone': (response) => response.writeHead(404).end(),
    'is behind a server that fails': (response) => response.writeHead(500).end(server.text),
    'is somewhere else now': (response) =>
      response.writeHead(302, { location: new URL('/elsewhere', server.url).href }).end(),
    'is larger than it may be': (response) => response.end(' '.repeat(bounds.maxBytes + 1)),
    'does not come to an end': (response) => void response.write('{'),
    'breaks off': (response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{')
      response.destroy()
    },
    'is said to be known, though it was not asked so': (response) => response.writeHead(304).end(),
  }
  it.each(Object.entries(faults))(
    'that %s leaves the one before, loudly, until it can be read again',
    async (name, answer) => {
      const isUnasked = name.includes('not asked so')
      // So that the gateway has no entity tag to send.
      if (isUnasked) {
        change(() => ({ hash: 'untagged' }))
        server.misbehave = (_request, response) => response.end(server.text)
        await isServed('untagged')
      }
      const { hash } = await status()
      server.misbehave = (request, response) =>
        request.url === '/elsewhere' ? void response.end(server.text) : void answer(response)
      await expect
        .poll(async () => (await status()).problem?.message, { timeout: 20_000 })
        .toContain('The graph cannot be read from')
      expect(outcomes()).toContain('unreadable')
      expect(gateway.logs.findLast((line) => line.includes('the graph cannot be read'))).toContain('"level":50')
      expect(server.asked.some(({ url }) => url === '/elsewhere')).toBe(false)
      expect((await gateway.send('/readyz')).status).toBe(200)
      expect((await gateway.ask('{ chatBackend }')).body.data).toEqual({ chatBackend: 'none' })
      server.misbehave = null
      await isServed(hash)
      change(() => ({ hash: 'good' }))
      await isServed('good')
    },
  )

  it('by a server that is down is served again when it is back', async () => {
    await server.goDown()
    await expect.poll(async () => (await status()).problem, { timeout: 20_000 }).not.toBeNull()
    change(() => ({ hash: 'later' }))
    await server.comeBack()
    await isServed('later')
    expect(new Set(outcomes())).toEqual(new Set(['unreadable', 'served']))
  })

  it.each([
    ['is no JSON', () => (server.text = '<html>')],
    ['is of another version', () => change(() => ({ format: 2 as never }))],
    ['does not build', () => change(({ supergraph }) => ({ supergraph: `${supergraph} type {` }))],
  ])('that %s is refused once, not at every look', async (_name, breakIt) => {
    const whole = server.text
    breakIt()
    await expect.poll(async () => (await status()).problem, { timeout: 20_000 }).not.toBeNull()
    // By their entity tag, and by their bytes.
    await areAsked(5)
    server.misbehave = (_request, response) => response.end(server.text)
    await areAsked(5)
    expect(outcomes()).toEqual(['refused'])
    expect(gateway.logs.filter((line) => line.includes('the new graph is refused'))).toHaveLength(1)
    expect((await status()).problem).not.toBeNull()
    expect((await gateway.ask('{ chatBackend }')).body.data).toEqual({ chatBackend: 'none' })
    // Whoever asks is told again.
    expect((await gateway.reload()).problem).not.toBeNull()
    expect(outcomes()).toEqual(['refused', 'refused'])
    server.misbehave = null
    server.text = whole
    await isServed('test')
    expect(outcomes()).toHaveLength(2)
  })
})

it('a graph is given as it is, too, and stays what it was', async () => {
  let given: Graph | undefined
  await using own = await startTestGateway({
    from: async ({ path }) => (given = JSON.parse(readFileSync(path, 'utf8')) as Graph),
  })
  Object.assign(given ?? {}, { hash: 'changed', supergraph: '' })
  expect(await own.reload()).toMatchObject({ hash: 'test', problem: null })
  expect((await own.ask('{ chatBackend }')).body.data).toEqual({ chatBackend: 'none' })
})

describe('a gateway does not start', () => {
  const startAt = (graph: string | RemoteGraph) =>
    createGateway({
      graph,
      rootKey: randomBytes(32).toString('base64url'),
      issuers: [],
      authority: createMemoryAuthority(),
      registry: () => ({ catalogue: () => [], call: () => Promise.reject(new Error('no tools')) }),
      log: pino({ level: 'silent' }),
    })

  it.each([
    ['http://graphs.example/graph.json', 'http://graphs.example must be https'],
    ['http://169.254.169.254/graph.json', 'must be https'],
    ['https://ada:hunter2@graphs.example/graph.json', 'graphs.example. Give it as a token'],
    ['https://', 'is none'],
  ])('with a graph at %s', async (url, message) => {
    const error = await startAt(url).catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toContain(message)
    expect(String(error)).not.toContain('hunter2')
  })

  it.each<[string, (response: ServerResponse) => void, string]>([
    ['is not there', (response) => response.writeHead(404).end(), 'it answered 404'],
    ['is elsewhere', (response) => response.writeHead(301, { location: '/' }).end(), 'it answered 301'],
    ['is too large', (response) => response.end(' '.repeat(2000)), 'larger than 1000 bytes'],
    ['does not come to an end', (response) => void response.write('{'), 'timeout'],
    ['is no graph', (response) => response.end('{}'), 'not a graph of this version'],
  ])('with a graph that %s', async (_name, answer, message) => {
    await using graphs = await startGraphServer('')
    graphs.misbehave = (_request, response) => answer(response)
    const error = await startAt({ url: graphs.url, timeoutMs: 200, maxBytes: 1000 }).catch(
      (failure: unknown) => failure,
    )
    expect(String(error)).toContain(message)
    expect(String(error)).toContain('/released/graph.json')
    expect(String(error)).not.toContain('hunter2')
    expect(graphs.asked.length).toBeLessThan(2)
  })
})

it('nobody is waited for who serves a graph when the gateway ends', async () => {
  await using graphs = await startGraphServer('{}')
  const asked = Promise.withResolvers<void>()
  graphs.misbehave = () => asked.resolve()
  const ended = new AbortController()
  const reading = openGraphSource({ url: graphs.url, timeoutMs: 600_000 }).read(ended.signal)
  await asked.promise
  ended.abort()
  await expect(reading).rejects.toThrow('cannot be read')
})
