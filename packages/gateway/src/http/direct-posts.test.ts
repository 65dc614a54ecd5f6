import { type IncomingHttpHeaders, request as httpRequest } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({
    trustedProxies: ['127.0.0.1'],
    limits: { bodyBytes: 16_384, anonymous: { requests: 3, cost: 10_000 } },
  })
})
afterAll(() => gateway[Symbol.asyncDispose]())

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
}

/** @param lengthSaid - whether it says how long it is: what does not is for the framework. */
function post(body: string | Buffer, headers: Readonly<Record<string, string>>, lengthSaid: boolean): Promise<Answer> {
  const length = lengthSaid ? { 'content-length': String(Buffer.byteLength(body)) } : { 'transfer-encoding': 'chunked' }
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      new URL('/graphql', gateway.url),
      { method: 'POST', headers: { 'content-type': 'application/json', ...headers, ...length } },
      (response) => {
        const { statusCode: status = 0, headers: answered } = response
        response
          .toArray()
          .then((chunks) => resolve({ status, headers: answered, bytes: Buffer.concat(chunks as Buffer[]) }), reject)
      },
    )
    sent.on('error', reject).end(body)
  })
}

/** What of an answer is not of its moment. */
function lasting({ status, headers, bytes }: Answer) {
  const { date, 'content-length': length, ...rest } = headers
  expect(date).toBeDefined()
  expect(Number(length)).toBe(bytes.length)
  const { 'content-encoding': encoding } = headers
  const text = (
    encoding === 'br' ? brotliDecompressSync(bytes) : encoding === 'gzip' ? gunzipSync(bytes) : bytes
  ).toString()
  expect(text).toMatch(/"txn":"[0-9a-f-]{36}"/)
  return { status, headers: rest, text: text.replace(/"txn":"[0-9a-f-]{36}"/, '"txn":""') }
}

const asked = (query: string, more: object = {}) => JSON.stringify({ query, ...more })
const many = asked(
  `{ ${Array.from({ length: 20 }, (_, index) => `${'a'.repeat(300)}${index}: __typename`).join(' ')} }`,
)

describe('a post that needs nothing of the framework is answered as by its route', () => {
  const signedIn = async () => ({ authorization: `Bearer ${await gateway.token()}` })
  const badToken = async () => ({ authorization: 'Bearer x.y.z' })
  const fromElsewhere = (address: string) => async () => ({ 'x-forwarded-for': address })

  it.each<[string, number, string | Buffer, () => Promise<Record<string, string>>]>([
    ['an operation', 200, asked('{ viewer { id } }'), signedIn],
    ['one with an error', 200, asked('{ fails }'), signedIn],
    ['a mutation', 200, asked('mutation { rename(name: "x") { id } }'), signedIn],
    ['a large answer', 200, many, signedIn],
    ['a large answer, brotli', 200, many, async () => ({ ...(await signedIn()), 'accept-encoding': 'gzip, br' })],
    ['a large answer, gzip', 200, many, async () => ({ ...(await signedIn()), 'accept-encoding': 'gzip, br;q=0' })],
    [
      'as graphql-response',
      200,
      asked('{ viewer { id } }'),
      async () => ({ ...(await signedIn()), accept: 'application/graphql-response+json' }),
    ],
    [
      'what does not validate',
      400,
      asked('{ nothing }'),
      async () => ({ ...(await signedIn()), accept: 'application/graphql-response+json' }),
    ],
    [
      'what is not accepted',
      406,
      asked('{ viewer { id } }'),
      async () => ({ ...(await signedIn()), accept: 'image/png' }),
    ],
    ['a subscription', 400, asked('subscription { ticks }'), signedIn],
    [
      'an unknown persisted query',
      200,
      JSON.stringify({ extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } }),
      signedIn,
    ],
    ['no JSON', 400, '{', signedIn],
    ['no UTF-8', 400, Buffer.from('7b2271ff227d', 'hex'), signedIn],
    ['a byte order mark', 400, `\uFEFF${asked('{ viewer { id } }')}`, signedIn],
    ['nothing', 400, '', signedIn],
    ['a list', 400, `[${asked('{ viewer { id } }')}]`, signedIn],
    ['a long body', 413, asked('{ viewer { id } }', { pad: 'x'.repeat(16_384) }), signedIn],
    [
      'an encoded body',
      415,
      asked('{ viewer { id } }'),
      async () => ({ ...(await signedIn()), 'content-encoding': 'gzip' }),
    ],
    [
      'another content',
      415,
      asked('{ viewer { id } }'),
      async () => ({ ...(await signedIn()), 'content-type': 'text/plain' }),
    ],
    ['[P1] a token that is none', 401, asked('{ viewer { id } }'), badToken],
    ['[P1] two credentials', 401, asked('{ viewer { id } }'), async () => ({ ...(await signedIn()), dpop: 'x' })],
    ['nobody', 200, asked('{ chatBackend }'), fromElsewhere('192.0.2.1')],
  ])('%s', async (_what, status, body, headersOf) => {
    const headers = await headersOf()
    const direct = lasting(await post(body, headers, true))
    expect(direct).toEqual(lasting(await post(body, headers, false)))
    expect(direct.status).toBe(status)
  })

  it('[P15] nobody is counted by where they come from, as trusted proxies say', async () => {
    const ask = async (address: string, lengthSaid: boolean) =>
      (await post(asked('{ chatBackend }'), await fromElsewhere(address)(), lengthSaid)).status
    const statuses = async (address: string) => [
      await ask(address, true),
      await ask(address, false),
      await ask(address, true),
      await ask(address, true),
      await ask(address, false),
    ]
    expect(await statuses('192.0.2.7')).toEqual([200, 200, 200, 429, 429])
    expect(await ask('192.0.2.8', true)).toBe(200)
  })

  it('[P1] is refused with one line in the log, in which no secret is', async () => {
    gateway.logs.splice(0)
    const { status, bytes } = await post(asked('{ viewer { id } }'), { authorization: 'Bearer not.a.token' }, true)
    expect(status).toBe(401)
    const { extensions } = JSON.parse(bytes.toString()) as { extensions: { txn: string } }
    const lines = gateway.logs.map((line) => JSON.parse(line) as { msg: string; txn?: string; code?: string })
    expect(lines.filter(({ msg }) => msg === 'request refused')).toEqual([
      expect.objectContaining({ txn: extensions.txn, code: 'CREDENTIAL_INVALID' }),
    ])
    expect(gateway.logs.join('')).not.toContain('not.a.token')
  })
})

it('a client that goes away in the middle of its body leaves nothing behind', async () => {
  gateway.logs.splice(0)
  const cut = httpRequest(new URL('/graphql', gateway.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': '100' },
  })
  cut.on('error', () => undefined)
  await new Promise((resolve) => cut.write('{"query":', resolve))
  cut.destroy()
  await expect.poll(() => gateway.logs.join('')).toContain('ECONNRESET')
  expect((await gateway.ask('{ viewer { id } }', { token: await gateway.token() })).status).toBe(200)
})
