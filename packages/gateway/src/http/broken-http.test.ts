import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway[Symbol.asyncDispose]())

/** Everything the server says until it closes the connection. */
function exchange(url: string, lines: readonly string[]): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.end(lines.join('\r\n'))
  return socket.toArray().then((chunks) => Buffer.concat(chunks as Buffer[]).toString())
}

const credential = 'Bearer eyJ.header.a-signature-that-must-not-be-seen'
const post = (...headers: string[]) => [
  'POST /graphql HTTP/1.1',
  'Host: gateway',
  `Authorization: ${credential}`,
  'Content-Type: application/json',
  ...headers,
]

/** Bytes that were logged as numbers are readable all the same. */
const readable = (line: string) =>
  line.replaceAll(/\[(\d+(?:,\d+)+)\]/g, (_all, bytes: string) => Buffer.from(bytes.split(',').map(Number)).toString())

describe('what is not HTTP', () => {
  it.each([
    ['a header that is none', 400, 'BAD_REQUEST', post('Bad Header: x', '', '')],
    [
      'two ways to tell the length',
      400,
      'BAD_REQUEST',
      post('Content-Length: 5', 'Transfer-Encoding: chunked', '', ''),
    ],
    ['two lengths', 400, 'BAD_REQUEST', post('Content-Length: 2', 'Content-Length: 3', '', '{}')],
    ['a chunk without a size', 400, 'BAD_REQUEST', post('Transfer-Encoding: chunked', '', 'ZZ', '')],
    ['headers without end', 413, 'PAYLOAD_TOO_LARGE', post(`X: ${'x'.repeat(20_000)}`, '', '')],
  ])('%s: a code of the table, and [P2] the credential in no log', async (_case, status, code, lines) => {
    for (const url of [gateway.url, gateway.internalUrl]) {
      const before = gateway.logs.length
      const answer = await exchange(url, lines)
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject(
        url === gateway.url ? { errors: [{ extensions: { code } }] } : { error: { code } },
      )
      const logged = gateway.logs.slice(before).map(readable).join('')
      expect(logged).toContain(code)
      expect(logged).not.toContain('must-not-be-seen')
    }
  })

  it('a body that ends before it is whole is nothing of ours that went wrong', async () => {
    const before = gateway.logs.length
    await exchange(gateway.url, post('Content-Length: 50', '', '{}'))
    await expect.poll(() => gateway.logs.slice(before).join('')).toContain('BAD_REQUEST')
    expect(gateway.logs.slice(before).join('')).not.toContain('INTERNAL')
  })
})

it.each(['gzip', 'br', 'identity, gzip', 'nonsense'])(
  'a body said to be %s is not read as if it were not',
  async (coding) => {
    const request = (headers: Record<string, string>) =>
      gateway.send('/graphql', {
        method: 'POST',
        body: '{"query":"{ whoami }"}',
        headers: { 'content-type': 'application/json', ...headers },
      })
    expect(await request({ 'content-encoding': coding })).toMatchObject({
      status: 415,
      body: { errors: [{ extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' } }] },
    })
    expect(await request({})).toMatchObject({ status: 200 })
  },
)
