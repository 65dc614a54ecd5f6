import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { openStream, type ReadStream, startNotices } from './stream-fixture.ts'

let system: Awaited<ReturnType<typeof startNotices>>
afterEach(() => system[Symbol.asyncDispose]())

const notice = { id: 'n1', userId: 'usr_ada', text: 'hello', must: { value: 1 } }
const query = 'subscription { notice { id } }'

async function openMany(count: number): Promise<ReadStream[]> {
  system = await startNotices({ limits: { streams: { user: count, all: count } } })
  const token = await system.token()
  const streams: ReadStream[] = []
  while (streams.length < count)
    streams.push(...(await Promise.all(Array.from({ length: 50 }, () => openStream(system, query, { token })))))
  await expect.poll(() => system.notices.listeners, { timeout: 30_000 }).toBe(count)
  return streams
}

describe('streams that are ended, hundreds of them, by one revocation', () => {
  it("[P11] hear nothing from then on, and others' requests are answered meanwhile", { timeout: 60_000 }, async () => {
    const streams = await openMany(500)
    const ben = await system.token({ sub: 'ben' })
    await system.ask('{ ping }', { token: ben })

    const isEnded = system.authority.revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' }, 'OPERATOR')
    system.notices.say(notice)
    const { body } = await system.ask('{ ping }', { token: ben })
    expect(body.data).toEqual({ ping: 'pong' })
    expect(system.notices.listeners).toBeGreaterThan(0)

    await isEnded
    for (const stream of streams)
      expect(await stream.rest()).toMatchObject([
        { data: { errors: [{ extensions: { code: 'SESSION_ENDED' } }] } },
        { event: 'complete' },
      ])
    await expect.poll(() => system.notices.listeners).toBe(0)
  })
})

describe('a stream that is open', () => {
  it('[P1] has let go of the credential that it was asked for with', async () => {
    system = await startNotices()
    const token = await system.token()
    const heard: IncomingMessage[] = []
    const hear = (message: unknown) => void heard.push((message as { request: IncomingMessage }).request)
    subscribe('http.server.request.start', hear)
    await using stream = await openStream(system, query, { token })
    await expect.poll(() => system.notices.listeners).toBe(1)
    unsubscribe('http.server.request.start', hear)
    const asked = heard.filter(({ url }) => url === '/graphql/stream')
    expect(asked).toHaveLength(1)
    for (const { headers, rawHeaders } of asked) expect(JSON.stringify([headers, rawHeaders])).not.toContain(token)
    system.notices.say(notice)
    expect((await stream.next()).data.data).toEqual({ notice: { id: 'n1' } })
  })
})
