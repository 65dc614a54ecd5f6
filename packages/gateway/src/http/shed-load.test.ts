import { once } from 'node:events'
import { request as httpRequest, type ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type McpGateway, startMcpGateway } from '../fixtures/mcp-gateway.ts'

const most = 4
const question = JSON.stringify({ query: '{ chatBackend }' })
let gateway: McpGateway
let held: ServerResponse[]
beforeEach(async () => {
  gateway = await startMcpGateway({ limits: { concurrentRequests: most } })
  held = []
  gateway.graph.users.misbehave = (response) => void held.push(response)
})
afterEach(() => gateway[Symbol.asyncDispose]())

const release = () => {
  gateway.graph.users.misbehave = null
  for (const response of held.splice(0))
    response.setHeader('content-type', 'application/json').end('{"data":{"whoami":"x"}}')
}
async function areHeld(count: number): Promise<void> {
  await expect.poll(() => held.length).toBe(count)
}

describe('[P15] more requests than can be answered', () => {
  it('are refused at once, and those that were let in are answered', async () => {
    const running = Array.from({ length: most }, () => gateway.ask('{ whoami }'))
    await areHeld(most)
    const refused = await Promise.all(Array.from({ length: 20 }, () => gateway.ask('{ chatBackend }')))
    for (const { status, headers, body } of refused) {
      expect([status, headers.get('retry-after')]).toEqual([503, '1'])
      expect(body).toMatchObject({
        errors: [{ extensions: { code: 'UNAVAILABLE' } }],
        extensions: { txn: expect.any(String) },
      })
    }
    const overMcp = await gateway.mcp('tools/list')
    expect(overMcp).toMatchObject({ status: 503, body: { error: { data: { code: 'UNAVAILABLE' } } } })
    expect(overMcp.headers.get('retry-after')).toBe('1')
    // Nobody was asked who they are, and no line was written for each.
    expect(gateway.logs.filter((line) => line.includes('overloaded')).length).toBeLessThan(20)
    expect(gateway.logs.some((line) => line.includes('overloaded'))).toBe(true)
    release()
    for (const { status, body } of await Promise.all(running))
      expect([status, body.data]).toEqual([200, { whoami: 'x' }])
    expect((await gateway.ask('{ chatBackend }')).status).toBe(200)
    expect((await gateway.mcp('tools/list')).status).toBe(200)
  })

  it('keep nobody from asking how it is, nor agents from the internal port', async () => {
    const running = Array.from({ length: most }, () => gateway.ask('{ whoami }'))
    await areHeld(most)
    for (const internal of [false, true])
      for (const path of ['/healthz', '/readyz']) expect((await gateway.send(path, { internal })).status).toBe(200)
    const agent = await gateway.send('/internal/tools/list', {
      internal: true,
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    })
    expect(agent.body).toMatchObject({ error: { code: 'WORKLOAD_REFUSED' } })
    const stream = await gateway.send('/graphql/stream?query=subscription{nothing}')
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    release()
    await Promise.all(running)
  })

  it('do not count those whose clients went away', async () => {
    const gone = new AbortController()
    const running = Array.from({ length: most }, () =>
      fetch(`${gateway.url}/graphql?query={whoami}`, { signal: gone.signal }).catch(() => 'gone'),
    )
    await areHeld(most)
    expect((await gateway.ask('{ chatBackend }')).status).toBe(503)
    gone.abort()
    expect(await Promise.all(running)).toEqual(Array.from({ length: most }, () => 'gone'))
    await expect.poll(async () => (await gateway.ask('{ chatBackend }')).status).toBe(200)
  })

  it('end nobody who waits for an answer to what has no body', async () => {
    const running = Array.from({ length: most }, () => fetch(`${gateway.url}/graphql?query={whoami}`))
    await areHeld(most)
    expect((await gateway.ask('{ chatBackend }')).status).toBe(503)
    release()
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual(Array.from({ length: most }, () => 200))
  })

  for (const [how, headers] of [
    ['of a length that is told', { 'content-length': String(Buffer.byteLength(question)) }],
    ['in pieces', { 'transfer-encoding': 'chunked' }],
  ] as const) {
    it(`are not those whose senders are slow, ${how}: they keep nobody out`, async () => {
      const slow: Awaited<ReturnType<typeof beginToSend>>[] = []
      for (let count = 0; count < most; count++) slow.push(await beginToSend(headers))
      expect((await gateway.ask('{ chatBackend }')).status).toBe(200)
      // It was one too many: the one that had been arriving for longest is broken off. The others are answered when they are done.
      const [first, ...others] = await Promise.all(slow.map((sending) => sending.finish()))
      expect(first).toBe('broken off')
      expect(others).toEqual(Array.from({ length: most - 1 }, () => 200))
    })
  }
})

/** Sends half of a question; `finish` sends the other half and gives the status of the answer. */
async function beginToSend(headers: Record<string, string>) {
  const request = httpRequest(new URL('/graphql', gateway.url), {
    method: 'POST',
    // So that it is known when the head is there.
    headers: { 'content-type': 'application/json', expect: '100-continue', ...headers },
  })
  const answered = new Promise<number | 'broken off'>((resolve) => {
    request.once('response', (response) => resolve(response.resume().statusCode ?? 0))
    request.once('error', () => resolve('broken off'))
  })
  request.flushHeaders()
  await once(request, 'continue')
  request.write(question.slice(0, 10))
  return {
    finish() {
      request.end(question.slice(10))
      return answered
    },
  }
}
