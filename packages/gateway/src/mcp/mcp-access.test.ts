import { signedInAs, signedInWithin } from '@behalf/identity'
import { createRegistry } from '@behalf/tools'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { audience } from '../fixtures/identity-provider.ts'
import { type McpGateway, mcpMetadata, mcpResource, startMcpGateway } from '../fixtures/mcp-gateway.ts'
import { secretsIn, sendRaw } from '../fixtures/test-gateway.ts'

let gateway: McpGateway
beforeAll(async () => {
  gateway = await startMcpGateway({
    // Of one tool more, which takes two scopes, or one that nobody can ask for.
    registry: ({ tools, ...parts }) => {
      const [cancel, list] = tools
      if (!cancel || !list) throw new Error('no tools')
      const both = { ...list, name: 'list_twice', scopes: [['billing:read'], ['orders:read', 'orders:write']] }
      return createRegistry({ tools: [...tools, both], ...parts })
    },
    agentScopes: ({ facts: { roles } }, scope) =>
      ['profile', 'orders:read', ...([roles].flat().includes('customer') ? ['orders:write'] : [])].includes(scope),
  })
  gateway.authority.people.set('sam', { subject: 'usr_sam', tenant: 'acme', facts: { roles: ['support'] } })
})
beforeEach(() => {
  for (const { received } of gateway.graph.all) received.length = 0
  gateway.authority.events.length = 0
})
afterAll(() => gateway[Symbol.asyncDispose]())

const refused = (code: string) => ({ error: { code: -32000, data: { code, txn: expect.any(String) } } })
const received = () => gateway.graph.all.flatMap((each) => each.received)

describe('[P10] who is let in at /mcp', () => {
  it('is who has a token for it, and for nothing else', async () => {
    expect(await gateway.mcp('tools/list')).toMatchObject({ status: 200 })
    for (const claims of [{ aud: audience }, { aud: [mcpResource, audience] }, { aud: 'https://other.example/mcp' }]) {
      const answer = await gateway.mcp('tools/list', {}, { token: await gateway.mcpToken(claims) })
      expect(answer).toMatchObject({ status: 401, body: refused('CREDENTIAL_INVALID') })
      expect(answer.headers.get('www-authenticate')).toBe(
        `Bearer error="invalid_token", error_description="The access token is not valid.", resource_metadata="${mcpMetadata}"`,
      )
    }
    // And the other way round.
    expect((await gateway.ask('{ whoami }', { token: await gateway.mcpToken() })).status).toBe(401)
    expect((await gateway.ask('{ whoami }', { token: await gateway.token() })).status).toBe(200)
  })

  it('is nobody without one: not with one in the URL, in a cookie, in a body, or beside another', async () => {
    const token = await gateway.mcpToken()
    const anonymous = await gateway.mcp('tools/list', {}, { token: null })
    expect(anonymous).toMatchObject({ status: 401, body: refused('UNAUTHENTICATED') })
    expect(anonymous.headers.get('www-authenticate')).toBe(`Bearer resource_metadata="${mcpMetadata}"`)
    for (const request of [
      { path: `/mcp?access_token=${token}` },
      { path: `/mcp?token=${token}` },
      { headers: { cookie: `access_token=${token}; session=${token}; Authorization=Bearer ${token}` } },
      { headers: { 'x-access-token': token, 'proxy-authorization': `Bearer ${token}` } },
    ])
      expect(await gateway.mcp('tools/list', {}, { token: null, ...request })).toMatchObject({ status: 401 })
    for (const headers of [{ authorization: `Bearer ${token}, Bearer ${token}` }, { authorization: `DPoP ${token}` }])
      expect(await gateway.mcp('tools/list', {}, { token: null, headers })).toMatchObject({ status: 401 })
    // What comes along with a token in its place is not looked at.
    const beside = { path: '/mcp?a=b', headers: { cookie: `access_token=${await gateway.mcpToken({ sub: 'ben' })}` } }
    expect(await gateway.mcp('tools/list', {}, { token, ...beside })).toMatchObject({ status: 200 })
    expect(await gateway.mcp('tools/list', {}, { token, path: `/mcp?access_token=${token}` })).toMatchObject({
      status: 401,
    })
    expect(secretsIn(gateway.logs, gateway.secrets)).toEqual([])
  })

  it.each(['tools/list', 'tools/call', 'server/discover', 'initialize', 'ping', 'none'])(
    'is asked before anything is answered: %s',
    async (method) => {
      expect(await gateway.mcp(method, { name: 'list_orders' }, { token: null })).toMatchObject({ status: 401 })
      for (const verb of ['GET', 'DELETE', 'OPTIONS'])
        expect(await gateway.mcp(method, {}, { token: null, verb })).toMatchObject({ status: 401 })
    },
  )

  it('is no web page of another origin, and nobody who means another host', async () => {
    for (const origin of ['https://evil.example', 'http://127.0.0.1.evil.example', 'null', 'file://', 'localhost'])
      expect(await gateway.mcp('tools/list', {}, { headers: { origin } })).toMatchObject({
        status: 403,
        body: refused('ORIGIN_REFUSED'),
      })
    expect(await gateway.mcp('tools/list', {}, { headers: { origin: 'http://127.0.0.1:4000' } })).toMatchObject({
      status: 200,
    })
    const authorization = `Bearer ${await gateway.mcpToken()}`
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    const sent = {
      path: '/mcp',
      body,
      headers: [
        'content-type',
        'application/json',
        'accept',
        'application/json, text/event-stream',
        'authorization',
        authorization,
      ],
    }
    expect(await sendRaw(gateway.url, { ...sent, host: 'evil.example' })).toMatchObject({ status: 403 })
    expect(await sendRaw(gateway.url, { ...sent, host: 'localhost:9' })).toMatchObject({ status: 200 })
  })

  it('finds out where to get a token, and which scopes tools ask for (RFC 9728)', async () => {
    const { status, body } = await gateway.send('/.well-known/oauth-protected-resource/mcp')
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        resource: mcpResource,
        authorization_servers: [gateway.provider.issuer],
        scopes_supported: ['chat', 'orders:read', 'orders:write'],
        bearer_methods_supported: ['header'],
      },
    })
  })

  it('sends one message of JSON', async () => {
    const listing = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    for (const body of ['', '{', '[]', '1', 'null', JSON.stringify([listing, listing])])
      expect(await gateway.mcp('tools/list', {}, { body })).toMatchObject({ status: 400 })
    // Of a revision that had batches.
    const headers = { 'mcp-protocol-version': '2025-03-26' }
    expect(await gateway.mcp('tools/list', {}, { headers, body: JSON.stringify([listing, listing]) })).toMatchObject({
      status: 400,
    })
    expect(await gateway.mcp('tools/list', {}, { headers, body: JSON.stringify(listing) })).toMatchObject({
      status: 200,
    })
    expect(await gateway.mcp('tools/list', {}, { headers: { 'content-type': 'text/plain' } })).toMatchObject({
      status: 415,
    })
    expect(await gateway.mcp('tools/list', {}, { body: ' '.repeat(300_000) })).toMatchObject({ status: 413 })
    for (const verb of ['GET', 'DELETE', 'PUT'])
      expect(await gateway.mcp('tools/list', {}, { verb })).toMatchObject({ status: 405 })
  })
})

describe('[P10] tools', () => {
  const namesOf = async (claims: Record<string, unknown>, cursor?: string) => {
    const { body } = await gateway.mcp('tools/list', cursor === undefined ? {} : { cursor }, {
      token: await gateway.mcpToken(claims),
    })
    return (body['result'].tools as { name: string }[]).map(({ name }) => name)
  }

  it('are listed by what the user may have, whatever this token has', async () => {
    const ofAda = ['cancel_order', 'list_orders', 'list_twice']
    expect(await namesOf({ sub: 'ada' })).toEqual(ofAda)
    expect(await namesOf({ sub: 'ada', scope: '' })).toEqual(ofAda)
    // Support cannot have "orders:write", and no customer "chat", even if a token says so.
    expect(await namesOf({ sub: 'sam' })).toEqual(['list_orders'])
    expect(await namesOf({ sub: 'sam', scope: 'orders:read orders:write chat' })).toEqual(['list_orders'])
    expect(await namesOf({ sub: 'ada', scope: 'chat orders:read' })).toEqual(ofAda)
  })

  it('are for one caller, who need not ask again for a while', async () => {
    const { body } = await gateway.mcp('tools/list')
    expect(body['result']).toMatchObject({ cacheScope: 'private', ttlMs: 30_000, resultType: 'complete' })
    expect(body['result'].tools[1]).toMatchObject({
      name: 'list_orders',
      title: 'list_orders',
      description: 'Runs list_orders.',
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: true, destructiveHint: false, openWorldHint: false },
    })
  })

  it('that want more scopes say all of them at once, and run with them', async () => {
    const token = await gateway.mcpToken({ scope: 'profile' })
    const answer = await gateway.call('list_twice', {}, { token })
    expect(answer).toMatchObject({
      status: 403,
      body: {
        error: { data: { code: 'UNAUTHORIZED_FIELD_OR_TYPE', requiredScopes: [['orders:read', 'orders:write']] } },
      },
    })
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer error="insufficient_scope", error_description="You may not see or do this.", scope="orders:read orders:write", resource_metadata="${mcpMetadata}"`,
    )
    expect(received()).toEqual([])
    // As 2025-11-25 is answered, too, where an answer begins as a stream.
    const legacy = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'list_twice' } })
    const old = { token, body: legacy, headers: { 'mcp-protocol-version': '2025-11-25' } }
    expect(await gateway.mcp('tools/call', {}, old)).toMatchObject({ status: 403 })
    expect(await gateway.call('list_twice')).toMatchObject({ status: 200, body: { result: { structuredContent: {} } } })
    const denied = gateway.authority.events.filter(({ what }) => what === 'tool.denied')
    expect(denied).toMatchObject([{ outcome: 'UNAUTHORIZED_FIELD_OR_TYPE' }, { outcome: 'UNAUTHORIZED_FIELD_OR_TYPE' }])
  })

  it('that are denied for any other reason are as those that do not exist, to the byte', async () => {
    const token = await gateway.mcpToken({ sub: 'sam', scope: 'orders:read orders:write chat' })
    const answers = await Promise.all(
      ['cancel_order', 'list_twice', 'start_chat', 'cancel_orders', 'toString', '__proto__', '', 'x'.repeat(5000)].map(
        async (name) => {
          const { status, text, headers } = await gateway.call(
            name,
            { id: 'ord_1' },
            { token, headers: { 'mcp-name': name } },
          )
          return { status, text, type: headers.get('content-type'), challenge: headers.get('www-authenticate') }
        },
      ),
    )
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]).toEqual({
      status: 200,
      text: '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"There is no tool of that name."}}',
      type: 'application/json',
      challenge: null,
    })
    expect(received()).toEqual([])
    expect(gateway.authority.approvals.kept).toEqual([])
    expect(await gateway.call('list_orders', {}, { token })).toMatchObject({ body: { result: {} } })
  })

  it('say what is wrong with a call, so that it can be mended', async () => {
    const { body } = await gateway.call('list_orders', { userId: 'usr_ben' })
    expect(body['result']).toMatchObject({ structuredContent: expect.anything() })
    const wrong = await gateway.call('list_orders', 'nonsense')
    expect(wrong.body).toMatchObject({ error: { code: -32602 } })
  })
})

it('[P10] a tool that wants a more recent or a stronger sign-in says all it takes (RFC 9470), and runs after that', async () => {
  const asks = { scopes: [], policies: [['recent', 'strong']], delegates: null, approves: null } as const
  await using strict = await startMcpGateway({
    rules: { 'User.orders': { ...asks, authenticated: true, agent: 'ALLOW' } },
    policies: { recent: signedInWithin(300), strong: signedInAs(['urn:mfa', 'phr']) },
  })
  const now = Math.floor(Date.now() / 1000)
  const call = async (claims: Record<string, unknown>, revision = '2026-07-28') => {
    const token = await strict.mcpToken(claims)
    if (revision === '2026-07-28') return strict.call('list_orders', {}, { token })
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'list_orders' } })
    return strict.mcp('tools/call', {}, { token, body, headers: { 'mcp-protocol-version': revision } })
  }
  const challenge = (values: string) =>
    `Bearer error="insufficient_user_authentication", error_description="Sign in again, more strongly or more recently, to do this.", ${values}, resource_metadata="${mcpMetadata}"`
  for (const revision of ['2026-07-28', '2025-11-25'])
    for (const [claims, values, details] of [
      [
        { auth_time: now - 301 },
        'acr_values="urn:mfa phr", max_age="300"',
        { maxAge: 300, acrValues: ['urn:mfa', 'phr'] },
      ],
      [{ auth_time: now - 301, acr: 'phr' }, 'max_age="300"', { maxAge: 300 }],
      [{ auth_time: now, acr: 'pwd' }, 'acr_values="urn:mfa phr"', { acrValues: ['urn:mfa', 'phr'] }],
    ] as const) {
      const { status, headers, body } = await call(claims, revision)
      expect({ status, challenge: headers.get('www-authenticate') }).toEqual({
        status: 401,
        challenge: challenge(values),
      })
      expect(body).toMatchObject({ error: { data: { code: 'STEP_UP_REQUIRED', ...details } } })
    }
  expect(strict.graph.orders.received).toEqual([])
  for (const revision of ['2026-07-28', '2025-11-25'])
    expect(await call({ auth_time: now, acr: 'phr' }, revision)).toMatchObject({
      status: 200,
      body: { result: { structuredContent: { viewer: { orders: [{}] } } } },
    })
})
