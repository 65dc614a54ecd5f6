import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mcpAudience } from '../fixtures/identity-provider.ts'
import { sendRaw, secretsIn, startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ limits: { bodyBytes: 2000 } })
})
afterAll(() => gateway[Symbol.asyncDispose]())

const json = { 'content-type': 'application/json' }
const post = (body: string, headers: Record<string, string> = json) =>
  gateway.send('/graphql', { method: 'POST', body, headers })
const failed = (code: string, status: number) => ({
  status,
  body: { errors: [{ extensions: { code } }], extensions: { txn: expect.any(String) } },
})

describe('a request over HTTP', () => {
  it('is a POST of JSON, or a GET', async () => {
    const answer = await post('{"query":"{ whoami }"}')
    expect(answer).toMatchObject({
      status: 200,
      body: { data: { whoami: expect.any(String) }, extensions: { txn: expect.any(String) } },
    })
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await gateway.send('/graphql?query=%7Bwhoami%7D')).toMatchObject({ status: 200, body: { data: {} } })
    expect(await post('{"query":"query($id: ID!){ order(id: $id) { id } }","variables":{"id":"7"}}')).toMatchObject({
      body: { data: { order: { id: '7' } } },
    })
    expect(await post('{"query":"query A { whoami } query B { chatBackend }","operationName":"B"}')).toMatchObject({
      body: { data: { chatBackend: 'none' } },
    })
  })

  it('that asks for application/graphql-response+json is given it, and 400 for an operation that does not fit', async () => {
    const accept = { ...json, accept: 'application/graphql-response+json' }
    const answer = await post('{"query":"{ whoami }"}', accept)
    expect(answer.headers.get('content-type')).toContain('application/graphql-response+json')
    expect(await post('{"query":"{ nothing }"}', accept)).toMatchObject(failed('GRAPHQL_VALIDATION_FAILED', 400))
  })

  it.each([
    ['not JSON', '{', 'BAD_REQUEST', 400],
    ['after a byte order mark', '\ufeff{"query":"{ whoami }"}', 'BAD_REQUEST', 400],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'BAD_REQUEST', 400],
    ['nothing', '', 'BAD_REQUEST', 400],
    ['null', 'null', 'BAD_REQUEST', 400],
    ['a batch', '[{"query":"{ whoami }"}]', 'BAD_REQUEST', 400],
    ['a query that is no text', '{"query":7}', 'BAD_REQUEST', 400],
    ['variables that are no object', '{"query":"{ whoami }","variables":"x"}', 'BAD_REQUEST', 400],
    ['no query', '{"variables":{}}', 'BAD_REQUEST', 400],
    ['no GraphQL', '{"query":"{"}', 'GRAPHQL_PARSE_FAILED', 200],
    ['unknown fields', '{"query":"{ nothing }"}', 'GRAPHQL_VALIDATION_FAILED', 200],
    [
      'no operation of that name',
      '{"query":"query A { whoami }","operationName":"B"}',
      'OPERATION_RESOLUTION_FAILURE',
      200,
    ],
    ['variables of another type', '{"query":"query($id: ID!){ order(id: $id) { id } }"}', 'BAD_USER_INPUT', 200],
    ['too much', `{"query":"{ whoami }","pad":"${'x'.repeat(2000)}"}`, 'PAYLOAD_TOO_LARGE', 413],
  ])('with %s is refused with a code and a txn', async (_name, body, code, status) => {
    const answer = await sendRaw(gateway.url, { path: '/graphql', headers: ['content-type', 'application/json'], body })
    expect({ status: answer.status, body: JSON.parse(answer.text) as unknown }).toMatchObject(failed(code, status))
    expect(answer.text).not.toMatch(/stack|node_modules|at file/)
  })

  it('of another type, path or method is refused', async () => {
    expect(await post('query=%7Bwhoami%7D', { 'content-type': 'application/x-www-form-urlencoded' })).toMatchObject(
      failed('UNSUPPORTED_MEDIA_TYPE', 415),
    )
    expect(await post('{"query":"{whoami}"}', { 'content-type': 'text/plain' })).toMatchObject(
      failed('UNSUPPORTED_MEDIA_TYPE', 415),
    )
    for (const path of ['/', '/graphql/', '/Graphql', '/internal/token', '/.env']) {
      expect(await gateway.send(path, { method: 'POST', body: '{}', headers: json })).toMatchObject(
        failed('NOT_FOUND', 404),
      )
    }
    expect(await sendRaw(gateway.url, { method: 'GET', path: '/%', headers: [] })).toMatchObject({
      status: 400,
      text: expect.stringContaining('BAD_REQUEST'),
    })
    for (const method of ['PUT', 'DELETE', 'OPTIONS']) {
      const answer = await gateway.send('/graphql', { method })
      expect(answer).toMatchObject(failed('METHOD_NOT_ALLOWED', 405))
      expect(answer.headers.get('allow')).toBe('GET, POST')
    }
    expect((await gateway.send('/graphql', { method: 'HEAD' })).status).toBe(405)
  })

  it('changes nothing by GET', async () => {
    const { received } = gateway.graph.users
    received.length = 0
    const path = `/graphql?query=${encodeURIComponent('mutation { rename(name: "x") { id } }')}`
    expect(await gateway.send(path)).toMatchObject({
      status: 405,
      body: { errors: [{}], extensions: { txn: expect.any(String) } },
    })
    expect(received).toEqual([])
    expect(await gateway.ask('mutation { rename(name: "x") { id } }')).toMatchObject({ body: { data: { rename: {} } } })
  })
})

describe('a credential that is not accepted', () => {
  it('is answered with a challenge', async () => {
    const bad = await gateway.ask('{ whoami }', { token: await gateway.token({ aud: 'other' }) })
    expect(bad).toMatchObject(failed('CREDENTIAL_INVALID', 401))
    expect(bad.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token", /)
    const unsupported = await gateway.ask('{ whoami }', { headers: { authorization: 'Basic eA==' } })
    expect(unsupported).toMatchObject(failed('CREDENTIAL_UNSUPPORTED', 401))
    expect(unsupported.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_request", /)
    const inUrl = await gateway.send(`/graphql?query=%7Bwhoami%7D&access_token=${await gateway.token()}`)
    expect(inUrl).toMatchObject(failed('CREDENTIAL_UNSUPPORTED', 401))
    const forMcp = await gateway.ask('{ whoami }', { token: await gateway.token({ aud: mcpAudience }) })
    expect(forMcp).toMatchObject(failed('CREDENTIAL_INVALID', 401))
    expect((await gateway.ask('{ whoami }', { token: await gateway.token() })).status).toBe(200)
  })

  it('is not refused for what is not its fault', async () => {
    const token = await gateway.token({ sub: 'ben' })
    gateway.authority.down = true
    const answer = await gateway.ask('{ whoami }', { token })
    gateway.authority.down = false
    expect(answer).toMatchObject(failed('UNAVAILABLE', 503))
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(answer.headers.get('www-authenticate')).toBeNull()
    expect((await gateway.ask('{ whoami }', { token })).status).toBe(200)
  })
})

describe('what clients are not told', () => {
  it('is the schema, where introspection is off', async () => {
    const query = '{ __schema { queryType { name } } }'
    expect(await gateway.ask(query)).toMatchObject({
      status: 200,
      body: { data: { __schema: { queryType: { name: 'Query' } } } },
    })
    await using hidden = await startTestGateway({ introspection: false })
    expect(await hidden.ask(query)).toMatchObject(failed('GRAPHQL_VALIDATION_FAILED', 200))
    expect((await hidden.ask('{ viewe { id } }')).text).not.toContain('viewer')
    expect(await hidden.ask('{ __typename viewer { __typename } }')).toMatchObject({
      body: { data: { __typename: 'Query' } },
    })
  })

  it('is what went wrong in the execution', async () => {
    gateway.authority.people.set('eve', { subject: 'usr_eve', tenant: 'acme', facts: { email: 'x'.repeat(5000) } })
    const answer = await gateway.ask('{ whoami chatBackend }', { token: await gateway.token({ sub: 'eve' }) })
    expect(answer.body).toMatchObject({
      data: { whoami: null, chatBackend: 'none' },
      errors: [{ extensions: { code: 'INTERNAL' } }],
    })
    expect(answer.text).not.toContain('context token')
    expect(gateway.logs.join('')).toContain('context token for users has')
  })

  it('is what went wrong before it', async () => {
    const secret = 'secret-in-an-exception'
    const registry = () => ({ catalogue: () => [], call: () => Promise.reject(new Error(secret)) })
    await using broken = await startTestGateway({ registry })
    const { authority } = broken
    authority.resolveSubject = () => {
      throw new Error(secret)
    }
    const answer = await broken.ask('{ whoami }', { token: await broken.token() })
    expect(answer).toMatchObject(failed('INTERNAL', 500))
    expect(answer.text).not.toContain(secret)
    expect(broken.logs.join('')).toContain(secret)
  })
})

describe('health', () => {
  it('is told on both ports; readiness ends where nobody who is signed in is answered', async () => {
    for (const internal of [false, true]) {
      gateway.authority.down = true
      gateway.authority.age = 59_000
      expect((await gateway.send('/healthz', { internal })).status).toBe(200)
      expect((await gateway.send('/readyz', { internal })).status).toBe(200)
      gateway.authority.age = 61_000
      expect(await gateway.send('/readyz', { internal })).toMatchObject({ status: 503, text: '{"status":"not ready"}' })
      expect((await gateway.send('/healthz', { internal })).status).toBe(200)
      gateway.authority.age = 0
      gateway.authority.down = false
    }
    expect(gateway.logs.join('')).toContain('last read 61 s ago')
  })

  it('turns red before the gateway stops taking requests', async () => {
    await using draining = await startTestGateway({ limits: { drainDelay: 500 } })
    expect((await draining.send('/readyz')).status).toBe(200)
    const closed = draining.close()
    expect((await draining.send('/readyz')).status).toBe(503)
    expect((await draining.ask('{ chatBackend }')).status).toBe(200)
    await closed
    await expect(draining.send('/readyz')).rejects.toThrow('fetch failed')
  })

  it('of a gateway that closes: what runs comes to its end, what is new is turned away', async () => {
    await using closing = await startTestGateway()
    const held = Promise.withResolvers<ServerResponse>()
    closing.graph.users.misbehave = (response) => held.resolve(response)
    const running = closing.ask('{ whoami }')
    const response = await held.promise
    const closed = closing.close()
    await expect.poll(() => isOpen(closing.url)).toBe(false)
    response.end('{"data":{"whoami":"done"}}')
    expect(await running).toMatchObject({ status: 200, body: { data: { whoami: 'done' } } })
    await closed
  })

  it('of a connection that was not asked anything does not keep a closing gateway', async () => {
    const closing = await startTestGateway()
    const { hostname, port } = new URL(closing.url)
    const unused = connect(Number(port), hostname).on('error', () => undefined)
    const ended = new Promise((resolve) => unused.once('close', resolve))
    // Connections are accepted in turn.
    expect((await closing.send('/healthz')).status).toBe(200)
    await closing[Symbol.asyncDispose]()
    await ended
  })

  it('of a connection that stays open does not keep a closing gateway', async () => {
    const idle = await startTestGateway()
    const agent = new Agent({ keepAlive: true })
    const { hostname, port } = new URL(idle.url)
    await new Promise((resolve, reject) => {
      httpRequest({ agent, hostname, port, path: '/healthz' }, (response) => response.resume().once('end', resolve))
        .once('error', reject)
        .end()
    })
    await idle[Symbol.asyncDispose]()
    agent.destroy()
    expect(await isOpen(idle.url)).toBe(false)
  })
})

it('the log of all of it holds no secret', () => {
  expect(secretsIn(gateway.logs, gateway.secrets)).toEqual([])
})

function isOpen(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket
      .once('connect', () => resolve(true))
      .once('error', () => resolve(false))
      .once('connect', () => socket.destroy())
  })
}
