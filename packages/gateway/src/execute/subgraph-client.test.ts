import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse, type Http2Session } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { selfSigned } from '../fixtures/self-signed.ts'
import { createSubgraphClient, type SubgraphClient, type SubgraphRequest } from './subgraph-client.ts'

const maxBytes = 100_000
const answer = JSON.stringify({ data: { name: 'Ada' } })
const data = { data: { name: 'Ada' }, errors: [] }
let certificate: ReturnType<typeof selfSigned>
beforeAll(() => {
  certificate = selfSigned()
})
const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

async function clientOf(server: Server, scheme: string, tls?: { readonly ca: string }): Promise<SubgraphClient> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  const client = createSubgraphClient(
    `${scheme}://127.0.0.1:${port}/graphql`,
    { timeout: 10_000, maxBytes, maxPending: 10 },
    tls,
  )
  open.push(() => client.close())
  return client
}
const request = (change: Partial<SubgraphRequest> = {}): SubgraphRequest => ({
  body: Buffer.from('{"query":"{ name }"}'),
  headers: ['content-type', 'application/json'],
  isQuery: true,
  signal: null,
  ...change,
})

describe('an answer that is compressed', () => {
  const answering = async (encoding: string, bytes: Buffer) =>
    clientOf(
      createServer((_request, response) => void response.writeHead(200, { 'content-encoding': encoding }).end(bytes)),
      'http',
    )
  const badly = { code: 'SUBGRAPH_INVALID_RESPONSE' }

  it.each([
    ['gzip', gzipSync(answer)],
    ['br', brotliCompressSync(answer)],
    ['GZIP', gzipSync(answer)],
    ['identity', Buffer.from(answer)],
  ])('is read: %s', async (encoding, bytes) => {
    expect(await (await answering(encoding, bytes)).send(request())).toEqual(data)
  })

  it.each([
    ['gzip', deflateSync(answer)],
    ['gzip', gzipSync(answer).subarray(0, -10)],
    ['gzip', Buffer.from(answer)],
    ['br', gzipSync(answer)],
    ['deflate', deflateSync(answer)],
    ['gzip, gzip', gzipSync(gzipSync(answer))],
    ['constructor', Buffer.from(answer)],
  ])('is not, where it is something else than it says or than was asked for: %s', async (encoding, bytes) => {
    await expect((await answering(encoding, bytes)).send(request())).rejects.toMatchObject(badly)
  })

  it.each([
    ['gzip', gzipSync],
    ['br', (bytes: Buffer) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
  ])('has as many bytes as one that is not, however few it came as: %s', async (encoding, compress) => {
    const ofBytes = (count: number) => Buffer.from(JSON.stringify({ data: { name: 'x'.repeat(count - 20) } }))
    const fits = ofBytes(maxBytes)
    expect(fits.length).toBeLessThanOrEqual(maxBytes)
    expect(await (await answering(encoding, compress(fits))).send(request())).toMatchObject({ errors: [] })
    const bomb = compress(ofBytes(50_000_000))
    expect(bomb.length).toBeLessThan(maxBytes)
    const before = process.memoryUsage().arrayBuffers
    await expect((await answering(encoding, bomb)).send(request())).rejects.toMatchObject(badly)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000)
  })
})

describe('a subgraph over TLS', () => {
  interface Seen {
    readonly version: string
    readonly session: Http2Session | undefined
  }
  type Handle = (response: Http2ServerResponse | ServerResponse, request: Http2ServerRequest | IncomingMessage) => void

  async function overHttp2(handle: Handle) {
    const seen: Seen[] = []
    const server = createSecureServer({ ...certificate, allowHTTP1: true }, (incoming, response) => {
      seen.push({ version: incoming.httpVersion, session: incoming.stream?.session })
      handle(response, incoming)
    })
    return { client: await clientOf(server, 'https', { ca: certificate.cert }), seen }
  }
  const right: Handle = (response) => response.end(answer)

  it('is asked over HTTP/2 where it offers that, with one connection for all', async () => {
    const waiting: (() => void)[] = []
    const { client, seen } = await overHttp2((response) => {
      waiting.push(() => response.end(answer))
      if (waiting.length === 5) for (const go of waiting) go()
    })
    const sent = Array.from({ length: 5 }, () => client.send(request()))
    expect(await Promise.all(sent)).toEqual(Array.from({ length: 5 }, () => data))
    expect(seen.map(({ version }) => version)).toEqual(Array.from({ length: 5 }, () => '2.0'))
  })

  it('is asked over HTTP/1.1 where it does not', async () => {
    const versions: string[] = []
    const server = createHttpsServer({ ...certificate }, ({ httpVersion }, response) => {
      versions.push(httpVersion)
      response.end(answer)
    })
    const client = await clientOf(server, 'https', { ca: certificate.cert })
    expect(await client.send(request())).toEqual(data)
    expect(versions).toEqual(['1.1'])
  })

  it('is not asked where nobody who is trusted says who it is', async () => {
    const asked: string[] = []
    const server = createHttpsServer({ ...certificate }, ({ url = '' }, response) => {
      asked.push(url)
      response.end(answer)
    })
    const client = await clientOf(server, 'https')
    await expect(client.send(request())).rejects.toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE' })
    expect(asked).toEqual([])
  })

  it('answers within the same bounds over HTTP/2', async () => {
    const { client } = await overHttp2((response) => void response.end('x'.repeat(maxBytes + 1)))
    await expect(client.send(request())).rejects.toMatchObject({ code: 'SUBGRAPH_INVALID_RESPONSE' })
  })

  it('is told over HTTP/2 when nobody waits any more', async () => {
    const aborted = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const { client } = await overHttp2((response) => {
      asked.resolve()
      response.once('close', aborted.resolve)
    })
    const gone = new AbortController()
    const sent = client.send(request({ signal: gone.signal })).catch((error: unknown) => error)
    await asked.promise
    gone.abort()
    expect(await sent).toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE' })
    await aborted.promise
  })

  it.each([
    [true, 2],
    [false, 1],
  ])('is asked again over HTTP/2 when its connection breaks, for a query (%s)', async (isQuery, times) => {
    let count = 0
    const { client, seen } = await overHttp2((response, incoming) => {
      count++
      if (count > 1) return right(response, incoming)
      seen.at(-1)?.session?.destroy()
    })
    const sent = await client.send(request({ isQuery })).catch((error: unknown) => error)
    expect(sent).toMatchObject(isQuery ? data : { code: 'SUBGRAPH_UNAVAILABLE' })
    expect(seen).toHaveLength(times)
  })
})
