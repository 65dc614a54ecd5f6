import { postgres } from '@behalf/postgres'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import { connect } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSubgraph, type ListeningSubgraph } from './create-subgraph.ts'
import { contextKeys, encode, headersOf, links, logBook, receiver, run, send, sign, trustDomain } from './fixtures.ts'

const typeDefs = `${links}
  type Query { greeting: String }
  type Mutation { greet: String }
`
/** Every resolver that ran. */
let calls: string[] = []
const resolvers = {
  Query: { greeting: () => calls.push('greeting') && 'hello' },
  Mutation: { greet: () => calls.push('greet') && 'hello' },
}
const log = logBook()
const query = encode({ query: '{ greeting }' })
const mutation = encode({ query: 'mutation { greet }' })

let database: TestDatabase
let folder: string
let subgraph: ListeningSubgraph

const start = (databaseUrl: string, limits = {}) =>
  createSubgraph({
    name: receiver,
    typeDefs,
    resolvers,
    contextKeys,
    trustDomain,
    db: postgres({ url: databaseUrl, statementTimeoutMs: 2000 }),
    limits,
    log,
    logLevel: 'debug',
  }).listen({ port: 0 })

beforeAll(async () => {
  database = await testDatabase()
  folder = await mkdtemp(join(tmpdir(), 'behalf-'))
  await writeFile(join(folder, '001.sql'), "create table nothing (); select behalf.public('nothing');")
  subgraph = await start(await database.provision(receiver, folder))
})
afterAll(async () => {
  await subgraph.close()
  await database.close()
  await rm(folder, { recursive: true })
})
beforeEach(() => {
  calls = []
})

const post = (headers: string[], body: Uint8Array | null, path = '') => send(subgraph.url + path, { headers, body })
const signedQuery = () => headersOf(query, sign(query))
const without = (headers: string[], name: string) => {
  const at = headers.indexOf(name)
  return headers.toSpliced(at, 2)
}
const flipped = (token: string, at: number) =>
  token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)

/** The acceptable twin of every attack below. */
async function acceptable() {
  const answer = await post(signedQuery(), query)
  expect(answer).toMatchObject({ status: 200, json: { data: { greeting: 'hello' } } })
  expect(calls).toEqual(['greeting'])
  calls = []
}

describe('a context token', () => {
  it.each<[string, number, string, () => Parameters<typeof post>]>([
    ['is missing', 401, 'CONTEXT_MISSING', () => [headersOf(query), query]],
    ['comes twice', 401, 'CONTEXT_MISSING', () => [headersOf(query, sign(query), sign(query)), query]],
    [
      'is as Authorization',
      401,
      'CONTEXT_MISSING',
      () => [[...headersOf(query), 'Authorization', `Bearer ${sign(query)}`], query],
    ],
    [
      'is for another subgraph',
      401,
      'CONTEXT_WRONG_RECEIVER',
      () => [headersOf(query, sign(query, { to: 'orders' })), query],
    ],
    [
      'is signed by somebody else',
      401,
      'CONTEXT_SIGNATURE',
      () => [headersOf(query, sign(query, { rootKey: 'A'.repeat(43) })), query],
    ],
    ['has another payload', 401, 'CONTEXT_SIGNATURE', () => [headersOf(query, flipped(sign(query), 120)), query]],
    ['has another header', 401, 'CONTEXT_MALFORMED', () => [headersOf(query, flipped(sign(query), 3)), query]],
    [
      'has expired',
      401,
      'CONTEXT_EXPIRED',
      () => [headersOf(query, sign(query, { clock: () => Date.now() - 120_000 })), query],
    ],
    [
      'is of the future',
      401,
      'CONTEXT_EXPIRED',
      () => [headersOf(query, sign(query, { clock: () => Date.now() + 120_000 })), query],
    ],
    ['is for another body', 401, 'CONTEXT_WRONG_REQUEST', () => [headersOf(query, sign(mutation)), query]],
    [
      'is for the same body but for a space',
      401,
      'CONTEXT_WRONG_REQUEST',
      () => {
        const spaced = new Uint8Array([...query, 0x20])
        return [headersOf(spaced, sign(query)), spaced]
      },
    ],
    [
      'is for no body',
      401,
      'CONTEXT_WRONG_REQUEST',
      () => [headersOf(new Uint8Array(), sign(query)), new Uint8Array()],
    ],
    ['comes with a query string', 401, 'CONTEXT_WRONG_REQUEST', () => [signedQuery(), query, '?query={greeting}']],
    ['comes with an empty query string', 401, 'CONTEXT_WRONG_REQUEST', () => [signedQuery(), query, '?']],
    [
      'comes with a content encoding',
      401,
      'CONTEXT_WRONG_REQUEST',
      () => [[...signedQuery(), 'Content-Encoding', 'identity'], query],
    ],
    ['comes without a length', 401, 'CONTEXT_WRONG_REQUEST', () => [without(signedQuery(), 'Content-Length'), query]],
    [
      'of a query comes with a mutation',
      401,
      'CONTEXT_WRONG_OPERATION',
      () => [headersOf(mutation, sign(mutation)), mutation],
    ],
    [
      'of a mutation comes with a query',
      401,
      'CONTEXT_WRONG_OPERATION',
      () => [headersOf(query, sign(query, { operation: 'mutation' })), query],
    ],
  ])('that %s is refused with %i %s', async (_what, status, code, attack) => {
    await acceptable()
    const answer = await post(...attack())
    expect(answer).toMatchObject({ status, json: { errors: [{ extensions: { code } }] } })
    expect(answer.json).not.toHaveProperty('data')
    expect(calls).toEqual([])
  })

  it('is asked for whatever the method', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      expect(await send(subgraph.url, { method, headers: [] })).toMatchObject({ status: 401 })
      const answer = await send(subgraph.url, { method, headers: signedQuery(), body: query })
      expect(answer.json.errors?.[0]?.extensions.code).toBe('CONTEXT_WRONG_REQUEST')
    }
    expect(calls).toEqual([])
    await acceptable()
  })

  it('is verified before a byte of the body is read', async () => {
    const answer = await post(headersOf(query), null)
    expect(answer.json.errors?.[0]?.extensions.code).toBe('CONTEXT_MISSING')
    await acceptable()
  })

  it('is told in the log why it was refused, with txn only if it was ours', async () => {
    const txn = '01980f6e-0000-7abc-8def-0123456789ab'
    await post(headersOf(query, sign(query, { to: 'orders', txn })), query)
    expect(log.lines.at(-1)).toMatchObject({ msg: 'request refused', code: 'CONTEXT_WRONG_RECEIVER' })
    expect(log.lines.at(-1)).not.toHaveProperty('txn')
    await post(headersOf(query, sign(mutation, { txn })), query)
    expect(log.lines.at(-1)).toMatchObject({
      msg: 'request refused',
      code: 'CONTEXT_WRONG_REQUEST',
      reason: 'another body',
      txn,
    })
  })
})

describe('a mutation', () => {
  it('is executed once', async () => {
    const headers = headersOf(mutation, sign(mutation, { operation: 'mutation' }))
    expect(await post(headers, mutation)).toMatchObject({ status: 200, json: { data: { greet: 'hello' } } })
    expect(await post(headers, mutation)).toMatchObject({
      status: 401,
      json: { errors: [{ extensions: { code: 'CONTEXT_REPLAYED' } }] },
    })
    expect(calls).toEqual(['greet'])
    expect(await run(subgraph.url, 'mutation { greet }')).toMatchObject({ json: { data: { greet: 'hello' } } })
    expect(calls).toEqual(['greet', 'greet'])
  })

  it('is executed once when it arrives twenty times at once', async () => {
    const headers = headersOf(mutation, sign(mutation, { operation: 'mutation' }))
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(headers, mutation)))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array.from({ length: 19 }, () => 401),
    ])
    expect(calls).toEqual(['greet'])
  })

  it('is refused where nobody can tell whether it is new', async () => {
    const alone = await start('postgres://notes:x@127.0.0.1:1/none')
    try {
      const answer = await run(alone.url, 'mutation { greet }')
      expect(answer).toMatchObject({
        status: 401,
        json: { errors: [{ extensions: { code: 'CONTEXT_UNVERIFIABLE' } }] },
      })
      expect(calls).toEqual([])
      expect(await run(alone.url, '{ greeting }')).toMatchObject({ status: 200 })
      expect(await send(alone.url.replace('graphql', 'readyz'), { method: 'GET', headers: [] })).toMatchObject({
        status: 503,
        json: { status: 'not ready' },
      })
    } finally {
      await alone.close()
    }
  })
})

describe('a verified request', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)

  it.each<[string, number, string, Uint8Array]>([
    ['is not JSON', 400, 'BAD_REQUEST', bytes('{ greeting }')],
    ['is not UTF-8', 400, 'BAD_REQUEST', new Uint8Array([...query.slice(0, -2), 0xff, ...query.slice(-2)])],
    ['has a byte order mark', 400, 'BAD_REQUEST', new Uint8Array([0xef, 0xbb, 0xbf, ...query])],
    ['is a batch', 400, 'BAD_REQUEST', encode([{ query: '{ greeting }' }])],
    ['is a text', 400, 'BAD_REQUEST', encode('{ greeting }')],
    ['has no query', 400, 'BAD_REQUEST', encode({})],
    ['has variables that are a list', 400, 'BAD_REQUEST', encode({ query: '{ greeting }', variables: [1] })],
    ['has a number for operationName', 400, 'BAD_REQUEST', encode({ query: '{ greeting }', operationName: 1 })],
    ['is not GraphQL', 400, 'GRAPHQL_PARSE_FAILED', encode({ query: '{ greeting' })],
    [
      'names no operation of the document',
      400,
      'OPERATION_RESOLUTION_FAILURE',
      encode({ query: 'query A { greeting }', operationName: 'B' }),
    ],
    [
      'does not say which operation',
      400,
      'OPERATION_RESOLUTION_FAILURE',
      encode({ query: 'query A { greeting } mutation B { greet }' }),
    ],
    ['has only a fragment', 400, 'OPERATION_RESOLUTION_FAILURE', encode({ query: 'fragment A on Query { greeting }' })],
    ['does not fit the schema', 400, 'GRAPHQL_VALIDATION_FAILED', encode({ query: '{ parting }' })],
    [
      'is a subscription with the token of a query',
      401,
      'CONTEXT_WRONG_OPERATION',
      encode({ query: 'subscription { greeting }' }),
    ],
  ])('that %s is answered with %i %s', async (_what, status, code, body) => {
    await acceptable()
    expect(await post(headersOf(body, sign(body)), body)).toMatchObject({
      status,
      json: { errors: [{ extensions: { code } }] },
    })
    expect(calls).toEqual([])
  })

  it('is told why it is refused', async () => {
    const messageOf = async (body: Uint8Array) =>
      (await post(headersOf(body, sign(body)), body)).json.errors?.[0]?.message
    expect(await messageOf(encode([{ query: '{ greeting }' }]))).toBe('Send one operation per request.')
    expect(await messageOf(encode('{ greeting }'))).toBe('The body is not a JSON object.')
    expect(await messageOf(encode({ query: '{ greeting' }))).toContain('Syntax Error')
  })

  it('that is not JSON is not quoted in the log', async () => {
    const body = bytes('{ "password": hunter2 }')
    expect(await post(headersOf(body, sign(body)), body)).toMatchObject({ status: 400 })
    expect(log.lines.at(-1)).toMatchObject({ msg: 'request refused', code: 'BAD_REQUEST' })
    expect(JSON.stringify(log.lines)).not.toContain('hunter2')
  })

  it('is JSON by its content type', async () => {
    const typed = (type: string) => signedQuery().with(1, type)
    expect(await post(typed('application/json; charset=utf-8'), query)).toMatchObject({ status: 200 })
    for (const type of ['text/plain', 'application/graphql', 'multipart/form-data; boundary=a', '']) {
      const answer = await post(typed(type), query)
      expect(answer).toMatchObject({
        status: 415,
        json: { errors: [{ extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' } }] },
      })
    }
    expect(calls).toEqual(['greeting'])
  })

  it('is at most as large as the limit', async () => {
    const padded = (length: number) => bytes(JSON.stringify({ query: '{ greeting }' }).padEnd(length))
    const limit = 1024 * 1024
    const largest = padded(limit)
    expect(await post(headersOf(largest, sign(largest)), largest)).toMatchObject({ status: 200 })
    const larger = padded(limit + 1)
    const answer = await post(headersOf(larger, sign(larger)), null)
    expect(answer).toMatchObject({ status: 413, json: { errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }] } })
    expect(calls).toEqual(['greeting'])
  })

  it('arrives in time or not at all', async () => {
    const hasty = await start(database.url, { arrivalMs: 200 })
    try {
      expect(await send(hasty.url, { headers: signedQuery(), body: query })).toMatchObject({ status: 200 })
      expect(await send(hasty.url, { headers: signedQuery(), body: null })).toMatchObject({ status: 408 })
      expect(calls).toEqual(['greeting'])
    } finally {
      await hasty.close()
    }
  })
})

describe('what is not a request for GraphQL', () => {
  it('is not found, with a token and without', async () => {
    for (const path of ['', 'graphql/', 'graphql/x', 'GRAPHQL', 'metrics']) {
      const url = subgraph.url.replace('graphql', path)
      expect(await send(url, { headers: signedQuery(), body: query })).toMatchObject({
        status: 404,
        json: { errors: [{ extensions: { code: 'NOT_FOUND' } }] },
      })
      expect(await send(url, { method: 'GET', headers: [] })).toMatchObject({ status: 404 })
    }
    expect(calls).toEqual([])
  })

  it('learns from the health endpoints that the process lives, and nothing else', async () => {
    for (const [path, status] of [
      ['healthz', 'ok'],
      ['readyz', 'ready'],
    ] as const) {
      const answer = await send(subgraph.url.replace('graphql', path), { method: 'GET', headers: [] })
      expect(answer).toMatchObject({ status: 200, text: JSON.stringify({ status }) })
      expect(await send(subgraph.url.replace('graphql', path), { headers: signedQuery(), body: query })).toMatchObject({
        status: 404,
      })
    }
  })

  it('is answered in our own form where it is not even HTTP', async () => {
    const socket = connect(Number(new URL(subgraph.url).port), '127.0.0.1').end('NOT HTTP\r\n\r\n')
    const text = (await socket.toArray()).join('')
    expect(text).toMatch(/^HTTP\/1.1 400 Bad Request\r\n.*"code":"BAD_REQUEST"/s)
  })
})

it('logs who asked for what, and never a token', async () => {
  const token = sign(query)
  await post(headersOf(query, token), query)
  expect(log.lines.at(-1)).toMatchObject({
    msg: 'context verified',
    operation: 'query',
    identity: { subject: 'usr_ada', tenant: 'acme' },
  })
  const text = JSON.stringify(log.lines)
  expect(text).not.toContain(token)
  expect(text).not.toContain(token.split('.')[2])
  expect(text).not.toMatch(/eyJ/)
})

it('logs the trace a request belongs to, and no other text in its place', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await post([...signedQuery(), 'traceparent', traceparent, 'tracestate', 'a=b'], query)
  expect(log.lines.at(-1)).toMatchObject({ traceparent, tracestate: 'a=b' })
  for (const tracestate of ['a=\u00e4', `a=${'b'.repeat(511)}`, '']) {
    await post([...signedQuery(), 'traceparent', traceparent, 'tracestate', tracestate], query)
    expect(log.lines.at(-1)).toMatchObject({ traceparent })
    expect(log.lines.at(-1)).not.toHaveProperty('tracestate')
  }
  await post([...signedQuery(), 'traceparent', 'something else', 'tracestate', 'a=b'], query)
  expect(log.lines.at(-1)).not.toHaveProperty('traceparent')
  expect(log.lines.at(-1)).not.toHaveProperty('tracestate')
})
