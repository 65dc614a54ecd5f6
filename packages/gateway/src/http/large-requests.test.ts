import { type AddressInfo, connect } from 'node:net'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from './create-app.ts'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway[Symbol.asyncDispose]())

const json = { 'content-type': 'application/json' }
const post = (body: string) => gateway.send('/graphql', { method: 'POST', headers: json, body })
const most = 256 * 1024
const padded = (bytes: number) => {
  const empty = JSON.stringify({ query: '{ chatBackend }', pad: '' })
  return empty.replace('""', `"${'x'.repeat(bytes - empty.length)}"`)
}

/** Sends a body in chunks, without saying how long it will be, until the server has answered. */
function chunked(body: string, chunk = 16_000): Promise<{ status: number; sent: number }> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    let sent = 0
    let answer = ''
    let isOver = false
    const send = () => {
      if (isOver) return
      const part = body.slice(sent, sent + chunk)
      sent += part.length
      socket.write(`${part.length.toString(16)}\r\n${part}\r\n`, () => setImmediate(send))
      isOver = part === ''
    }
    socket.once('error', reject).on('data', (data) => {
      answer += data.toString()
      isOver = true
      resolve({ status: Number(answer.slice(9, 12)), sent })
      socket.destroy()
    })
    socket.write(
      'POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      send,
    )
  })
}

describe('[P15] a body', () => {
  it('has at most 256 KiB', async () => {
    expect((await post(padded(most))).status).toBe(200)
    expect((await post(padded(most + 1))).status).toBe(413)
  })

  it('has no more where it does not say how long it is, and is not read to its end', async () => {
    expect(await chunked(padded(most))).toMatchObject({ status: 200 })
    expect(await chunked(padded(most + 1))).toMatchObject({ status: 413 })
    const endless = await chunked(padded(64 * most))
    expect(endless.status).toBe(413)
    expect(endless.sent).toBeLessThan(16 * most)
  })
})

describe('[P15] a request', () => {
  /** Sends one part after the other until the connection is closed; answers what the server said. */
  const drip = (port: number, head: string, part: string) =>
    new Promise<string>((resolve) => {
      let answer = ''
      const socket = connect(port, '127.0.0.1')
      const dripping = setInterval(() => socket.write(part), 50)
      socket
        .on('data', (data) => (answer += data.toString()))
        .on('error', () => undefined)
        .on('close', () => {
          clearInterval(dripping)
          resolve(answer)
        })
      socket.write(head)
    })

  it('that does not come to its end is ended, in its headers sooner', async () => {
    const app = createApp({
      log: pino({ level: 'silent' }),
      maxBodyBytes: 1000,
      contentTypes: ['application/json'],
      ready: async () => undefined,
      writeError: ({ code }) => ({ body: { code } }),
    })
    app.post('/', async () => 'done')
    const { server } = app
    expect([server.headersTimeout, server.requestTimeout]).toEqual([10_000, 30_000])
    server.headersTimeout = 300
    server.requestTimeout = 400
    await app.listen({ port: 0 })
    const { port } = server.address() as AddressInfo
    const head = 'POST / HTTP/1.1\r\nHost: gateway\r\n'
    const answers = await Promise.all([
      drip(port, head, 'X: y\r\n'),
      drip(port, `${head}Content-Type: application/json\r\nContent-Length: 900\r\n\r\n`, 'x'),
      drip(port, `${head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'),
    ])
    for (const answer of answers) expect(answer).toContain('BAD_REQUEST')
    await app.close()
  })
})

it('[P15] a URL has no more than headers may have', async () => {
  const get = (padding: number) => gateway.send(`/graphql?query=%7BchatBackend%7D&pad=${'x'.repeat(padding)}`)
  expect((await get(8000)).status).toBe(200)
  expect((await get(17_000)).status).toBe(413)
})

describe('[P15] JSON nested as deep as a body allows', () => {
  const depth = 100_000
  const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`
  const deepObject = `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`

  it.each([
    ['that ends in the middle', '['.repeat(most), 400],
    ['in place of a request', deep, 400],
    ['as a query', `{"query":${deep}}`, 400],
    ['as variables', `{"query":"{ chatBackend }","variables":${deepObject}}`, 200],
    ['in a variable that there is not', `{"query":"{ chatBackend }","variables":{"x":${deep}}}`, 200],
    [
      'in a variable of another type',
      `{"query":"query($id: ID!) { order(id: $id) { id } }","variables":{"id":${deep}}}`,
      200,
    ],
    ['as extensions', `{"query":"{ chatBackend }","extensions":${deepObject}}`, 200],
  ])('%s is answered, and so is the next request', async (_where, body, status) => {
    expect((await post(body)).status).toBe(status)
    expect((await post('{"query":"{ chatBackend }"}')).status).toBe(200)
  })
})
