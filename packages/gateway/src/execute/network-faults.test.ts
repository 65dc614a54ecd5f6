import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type FaultMode, type FaultyProxy, startFaultyProxy } from '../fixtures/faulty-proxy.ts'
import { type Answer, startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import type { TestSubgraph } from '../fixtures/test-subgraph.ts'

const maxBytes = 100_000
let gateway: TestGateway
let proxy: FaultyProxy
let users: TestSubgraph
const open = new AsyncDisposableStack()

beforeAll(async () => {
  gateway = open.use(
    await startTestGateway({
      timeoutMs: 1500,
      limits: { subgraphResponseBytes: maxBytes },
      // What is between the gateway and one of its subgraphs can fail.
      async between(graph) {
        proxy = open.use(await startFaultyProxy(graph.users.url))
        return { users: proxy.url }
      },
    }),
  )
  ;({ users } = gateway.graph)
})
afterAll(() => open.disposeAsync())
afterEach(async () => {
  proxy.mode = 'pass'
  users.received.length = 0
  await recovers()
})

const query = '{ whoami order(id: "1") { total } chatBackend }'
const others = { order: { total: '10.00' }, chatBackend: 'none' }
const failed = (code: string) => ({
  status: 200,
  body: { data: { whoami: null, ...others }, errors: [{ path: ['whoami'], extensions: { code } }] },
})
/** As a client would see it that asks again. */
async function recovers(): Promise<void> {
  const { body } = await gateway.ask(query)
  expect(body.errors).toBeUndefined()
  expect(body.data).toMatchObject({ whoami: expect.stringContaining('anonymous'), ...others })
}

describe('between the gateway and a subgraph', () => {
  const faults: [FaultMode, string][] = [
    ['late', 'SUBGRAPH_TIMEOUT'],
    ['swallow', 'SUBGRAPH_TIMEOUT'],
    ['drip', 'SUBGRAPH_TIMEOUT'],
    ['reset', 'SUBGRAPH_UNAVAILABLE'],
    ['cut', 'SUBGRAPH_UNAVAILABLE'],
    ['garbage', 'SUBGRAPH_INVALID_RESPONSE'],
    ['flood', 'SUBGRAPH_INVALID_RESPONSE'],
  ]
  it.each(faults)('%s: its fields are null with a code, others are answered, and it recovers', async (mode, code) => {
    // On a connection that was kept, and on one that is new.
    await recovers()
    proxy.mode = mode
    expect(await gateway.ask(query)).toMatchObject(failed(code))
    expect(await gateway.ask(query)).toMatchObject(failed(code))
    proxy.mode = 'pass'
    await recovers()
  })

  it('an answer that comes late, and in time, is an answer', async () => {
    proxy.mode = 'late'
    const asked = gateway.ask(query)
    await expect.poll(() => users.received.length).toBe(1)
    proxy.mode = 'pass'
    expect((await asked).body).toMatchObject({ data: others })
    expect((await asked).body.errors).toBeUndefined()
  })

  it.each<FaultMode>(['late', 'swallow', 'drip'])('%s: who asks others is answered meanwhile', async (mode) => {
    proxy.mode = mode
    const ended: string[] = []
    const waiting = Array.from({ length: 20 }, () => gateway.ask('{ whoami }').then(() => ended.push('users')))
    for (let count = 0; count < 5; count++) {
      expect((await gateway.ask('{ order(id: "1") { total } }')).body.errors).toBeUndefined()
      ended.push('orders')
    }
    await Promise.all(waiting)
    expect(ended.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 'orders'))
  })

  it('a mutation is sent once, whatever becomes of its connection', async () => {
    await recovers()
    for (const mode of ['reset', 'cut'] satisfies FaultMode[]) {
      users.received.length = 0
      proxy.mode = mode
      const { body } = await gateway.ask('mutation { rename(name: "x") { id } }')
      expect(body).toMatchObject({ data: { rename: null }, errors: [{ extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }] })
      expect(users.received.length).toBe(mode === 'cut' ? 1 : 0)
      // Nor was it sent again and refused for that (P4).
      expect(users.refused).toEqual([])
      proxy.mode = 'pass'
    }
  })

  it('a connection that was closed while it was kept is not noticed by anybody', async () => {
    await Promise.all(Array.from({ length: 10 }, recovers))
    const { accepted } = proxy
    await proxy.goDown()
    await proxy.comeBack()
    const answers = await Promise.all(Array.from({ length: 10 }, () => gateway.ask(query)))
    expect(answers.filter(({ body }) => body.errors)).toEqual([])
    expect(proxy.accepted).toBeGreaterThan(accepted)
  })

  it('a subgraph that is down fails at once, and is asked again when it is back', async () => {
    await proxy.goDown()
    for (let count = 0; count < 3; count++)
      expect(await gateway.ask(query)).toMatchObject(failed('SUBGRAPH_UNAVAILABLE'))
    await proxy.comeBack()
    await recovers()
  })

  it('nothing that was given up stays open', async () => {
    proxy.mode = 'swallow'
    const all = await Promise.all(Array.from({ length: 100 }, () => gateway.ask('{ whoami }')))
    expect(all.every(hasFailed)).toBe(true)
    await expect.poll(() => proxy.open, { timeout: 5000 }).toBe(0)
  })

  it('an answer without an end is read as far as it may go, and no further', async () => {
    proxy.mode = 'flood'
    const { flooded } = proxy
    const count = 20
    const all = await Promise.all(Array.from({ length: count }, () => gateway.ask('{ whoami }')))
    expect(all.every(hasFailed)).toBe(true)
    // What a connection holds in between is the kernel's.
    const perConnection = 8_000_000
    expect(proxy.flooded - flooded).toBeLessThan(count * (maxBytes + perConnection))
    await expect.poll(() => proxy.open, { timeout: 5000 }).toBe(0)
  })
})

const hasFailed = ({ status, body }: Answer) => status === 200 && body.data?.['whoami'] === null
