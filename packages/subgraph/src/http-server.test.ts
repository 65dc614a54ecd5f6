import { AppError, type AuditEvent, createContextVerifier } from '@behalf/identity'
import { createLog } from '@behalf/process'
import { Agent, request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AnswerRequest } from './answer-request.ts'
import { createSubgraph } from './create-subgraph.ts'
import { contextKeys, encode, headersOf, links, logBook, receiver, send, sign, trustDomain } from './fixtures.ts'
import { createHttpServer } from './http-server.ts'
import { defaultLimits } from './limits.ts'

it('of a subgraph that closes, a connection ends with the answer it was waiting for', async () => {
  const arrived = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<string>()
  const subgraph = await createSubgraph({
    name: receiver,
    typeDefs: `${links} type Query { greeting: String slow: String }`,
    resolvers: {
      Query: {
        greeting: () => 'hello',
        slow: () => {
          arrived.resolve()
          return gate.promise
        },
      },
    },
    contextKeys,
    trustDomain,
    log: logBook(),
  }).listen({ port: 0 })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = async (query: string) => {
    const body = encode({ query })
    const answer = Promise.withResolvers<IncomingMessage>()
    const { host } = new URL(subgraph.url)
    const headers = ['Host', host, ...headersOf(body, sign(body))]
    request(subgraph.url, { method: 'POST', agent, headers, signal: AbortSignal.timeout(10_000) })
      .once('response', answer.resolve)
      .once('error', answer.reject)
      .end(body)
    const incoming = await answer.promise
    return { connection: incoming.headers.connection, text: (await incoming.toArray()).join('') }
  }

  expect(await ask('{ greeting }')).toEqual({ connection: 'keep-alive', text: '{"data":{"greeting":"hello"}}' })
  const running = ask('{ slow }')
  await arrived.promise
  let closed = false
  const closing = subgraph.close().then(() => (closed = true))
  const isOpen = () =>
    send(subgraph.url, { headers: [] }).then(
      () => true,
      () => false,
    )
  await expect.poll(isOpen).toBe(false)
  gate.resolve('done')
  expect(await running).toEqual({ connection: 'close', text: '{"data":{"slow":"done"}}' })
  // The client keeps its end open for as long as it is let: only `connection: close` ends this in a second.
  await expect.poll(() => closed).toBe(true)
  await closing
  agent.destroy()
})

describe('a server', () => {
  const log = logBook()
  const events: AuditEvent[] = []
  const body = encode({ query: '{ a }' })
  const ok: AnswerRequest = () => Promise.resolve({ status: 200, body: '{}' })
  let server: ReturnType<typeof createHttpServer>
  afterEach(() => server.close())

  /** Without a subgraph behind it: it answers what it is told. */
  async function start(answerRequest = ok, { limits = {}, ready = () => Promise.resolve() } = {}) {
    events.length = 0
    server = createHttpServer({
      verifier: createContextVerifier({ receiver, keys: contextKeys, trustDomain }),
      answerRequest,
      ready,
      limits: { ...defaultLimits, ...limits },
      refusals: { record: (event) => void events.push(event), count: () => undefined, flush: () => undefined },
      log: createLog(receiver, 'info', log),
    })
    const address = await server.listen({ port: 0, host: '127.0.0.1' })
    // That it listens.
    log.lines.length = 0
    return `${address}/graphql`
  }
  const signed = (of = body, signing: Parameters<typeof sign>[1] = {}) => headersOf(of, sign(of, signing))
  const codeOf = ({ status, json }: Awaited<ReturnType<typeof send>>) => [status, json.errors?.[0]?.extensions.code]
  const txn = '01980f6e-0000-7abc-8def-0123456789ab'

  it('has nothing but what it says it has, and no HEAD', async () => {
    const url = (await start()).replace('graphql', 'healthz')
    expect(await send(url, { method: 'GET', headers: [] })).toMatchObject({ status: 200 })
    expect(await fetch(url, { method: 'HEAD' })).toMatchObject({ status: 404 })
  })

  it('that closes does not wait for connections on which nothing was asked', async () => {
    const { hostname, port, href } = new URL((await start()).replace('graphql', 'healthz'))
    const unused = connect(Number(port), hostname).on('error', () => undefined)
    const ended = new Promise((resolve) => unused.once('close', resolve))
    // Connections are accepted in turn.
    expect(await send(href, { method: 'GET', headers: [] })).toMatchObject({ status: 200 })
    await server.close()
    await ended
  })

  it('says in the log why it is not ready', async () => {
    const url = await start(ok, { ready: () => Promise.reject(new Error('no database')) })
    expect(await send(url.replace('graphql', 'readyz'), { method: 'GET', headers: [] })).toMatchObject({ status: 503 })
    expect(log.lines).toMatchObject([{ level: 'warn', msg: 'not ready', err: { message: 'no database' } }])
  })

  it.each<[string, unknown, number, string]>([
    ['what is told', new AppError('NOT_FOUND'), 404, 'NOT_FOUND'],
    ['what is the fault of the request', { statusCode: 499 }, 400, 'BAD_REQUEST'],
    ['what is ours', { statusCode: 500 }, 500, 'INTERNAL'],
    ['what may be anything', new Error('10.0.0.7'), 500, 'INTERNAL'],
  ])('answers %s, with its transaction in the log', async (_what, thrown, status, code) => {
    const url = await start(() => Promise.reject(thrown))
    const answer = await send(url, { headers: signed(body, { txn }), body })
    expect(codeOf(answer)).toEqual([status, code])
    expect(answer.text).not.toContain('10.0.0.7')
    const internal = { level: 'error', msg: 'request failed', err: expect.anything() }
    expect(log.lines).toMatchObject([
      { txn, code, ...(status === 500 ? internal : { level: 'info', msg: 'request refused' }) },
    ])
    expect(events).toEqual([])
  })

  it('[P14] records whose context token is refused, by its transaction', async () => {
    const url = await start()
    const expired = signed(body, { txn, clock: () => Date.now() - 120_000 })
    expect(codeOf(await send(url, { headers: expired, body }))).toEqual([401, 'CONTEXT_EXPIRED'])
    expect(log.lines).toMatchObject([{ txn, code: 'CONTEXT_EXPIRED' }])
    expect(events).toMatchObject([{ txn, outcome: 'CONTEXT_EXPIRED' }])
  })

  it('takes no body for an empty one', async () => {
    const seen: Uint8Array[] = []
    const url = await start((...given) => {
      seen.push(given[1])
      return ok(...given)
    })
    const nothing = new Uint8Array()
    const headers = signed(nothing).slice(2)
    expect(await send(url, { headers, body: nothing })).toMatchObject({ status: 200 })
    expect(seen).toEqual([nothing])
    const other = headersOf(nothing, sign(body)).slice(2)
    expect(codeOf(await send(url, { headers: other, body: nothing }))).toEqual([401, 'CONTEXT_WRONG_REQUEST'])
  })

  it('reads no more than its limit, whatever the token allows, and nothing but JSON', async () => {
    const url = await start(ok, { limits: { bodyBytes: 20 } })
    const larger = encode({ query: '{ a b c d e f }' })
    expect(await send(url, { headers: signed(), body })).toMatchObject({ status: 200 })
    expect(codeOf(await send(url, { headers: signed(larger), body: larger }))).toEqual([413, 'PAYLOAD_TOO_LARGE'])
    const text = signed().with(1, 'text/plain')
    expect(codeOf(await send(url, { headers: text, body }))).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE'])
  })

  it('tells that a caller has gone before the answer, and not after it', async () => {
    const gone: AbortSignal[] = []
    const gate = Promise.withResolvers<void>()
    const url = await start(async (_body, _bytes, signal) => {
      gone.push(signal)
      if (gone.length > 1) await gate.promise
      return { status: 200, body: '{}' }
    })
    await send(url, { headers: signed(), body })
    const leaving = new AbortController()
    const left = send(url, { headers: signed(), body, signal: leaving.signal }).catch(() => 'left')
    await expect.poll(() => gone.length).toBe(2)
    leaving.abort()
    expect(await left).toBe('left')
    await expect.poll(() => gone.map(({ aborted }) => aborted)).toEqual([false, true])
    gate.resolve()
  })

  it('keeps a connection only where it has read all that came on it', async () => {
    const url = await start()
    const connectionOf = async (headers: string[], of: Uint8Array | null) => {
      const answer = Promise.withResolvers<IncomingMessage>()
      const all = ['Host', new URL(url).host, 'Connection', 'keep-alive', ...headers]
      const outgoing = request(url, { method: 'POST', agent: false, headers: all }, answer.resolve)
      outgoing.on('error', answer.reject)
      if (of === null) outgoing.flushHeaders()
      else outgoing.end(of)
      const { statusCode, headers: told } = await answer.promise
      outgoing.destroy()
      return [statusCode, told.connection]
    }
    expect(await connectionOf(headersOf(body), null)).toEqual([401, 'close'])
    expect(await connectionOf(signed(body, { to: 'orders' }), body)).toEqual([401, 'close'])
    const other = encode({ query: '{ b }' })
    expect(await connectionOf(headersOf(body, sign(other)), body)).toEqual([401, 'keep-alive'])
  })

  it('answers what is not HTTP only where somebody is there to read it', async () => {
    await start()
    const refused = (code: string, writable = true) => {
      const socket = new PassThrough()
      if (!writable) socket.end()
      const end = vi.spyOn(socket, 'end')
      server.server.emit('clientError', Object.assign(new Error('no'), { code }), socket)
      return { destroyed: socket.destroyed, ended: end.mock.calls.length, text: String(socket.read() ?? '') }
    }
    expect(refused('ECONNRESET')).toEqual({ destroyed: true, ended: 0, text: '' })
    expect(refused('HPE_INVALID_METHOD', false)).toEqual({ destroyed: true, ended: 0, text: '' })
    expect(refused('HPE_INVALID_METHOD')).toMatchObject({
      destroyed: false,
      text: expect.stringMatching(/^HTTP\/1.1 400 Bad/),
    })
    expect(refused('ERR_HTTP_REQUEST_TIMEOUT')).toMatchObject({
      text: expect.stringMatching(/^HTTP\/1.1 408 Request/),
    })
  })
})
