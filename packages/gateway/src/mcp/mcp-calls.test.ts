import { createMcpEndpoint } from '@behalf/mcp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type McpGateway, people, startMcpGateway } from '../fixtures/mcp-gateway.ts'
import { startTestGateway } from '../fixtures/test-gateway.ts'

let gateway: McpGateway
beforeAll(async () => {
  gateway = await startMcpGateway()
})
beforeEach(() => {
  for (const each of gateway.graph.all) {
    each.received.length = 0
    each.misbehave = null
  }
  gateway.authority.events.length = 0
})
afterAll(() => gateway[Symbol.asyncDispose]())

const contextOf = () => gateway.graph.orders.received.at(-1)?.context.identity
const events = (what: string) => gateway.authority.events.filter((event) => event.what === what)

const resolve: McpGateway['resolve'] = (...given) => gateway.resolve(...given)
const asked = async (given: object = { id: 'ord_1' }) => {
  const { body } = await gateway.call('cancel_order', given)
  return body['result'] as { content: { text: string }[]; _meta: Record<string, { id: string }> } & Record<
    string,
    unknown
  >
}
const idOf = ({ _meta }: Awaited<ReturnType<typeof asked>>) => _meta['dev.behalf/approval']?.id ?? ''
const effects = () => gateway.graph.orders.received.filter(({ operation }) => operation === 'mutation')

describe('[P8] a call over MCP', () => {
  it('is made by the client, for the user, with the scopes of its tool and without what a person is', async () => {
    const token = await gateway.mcpToken({ sub: 'ada', scope: people })
    const { body } = await gateway.call('list_orders', {}, { token })
    expect(body['result']._meta).toMatchObject({ 'dev.behalf/txn': contextOf()?.txn })
    expect(contextOf()).toMatchObject({
      subject: 'usr_ada',
      client: 'some-client',
      scopes: ['orders:read'],
      facts: { tier: 'premium' },
      actor: {
        agent: 'some-client',
        delegation: expect.stringMatching(/^dlg_/),
        run: 'mcp',
        tool: 'list_orders',
        call: `call_${contextOf()?.txn}`,
      },
    })
    expect(contextOf()?.facts).toEqual({ tier: 'premium' })
    // The same person by the other door, where they are one.
    await gateway.ask('{ viewer { orders { id } } }', { token: await gateway.token({ scope: people }) })
    expect(contextOf()).toMatchObject({ actor: null, facts: { roles: ['customer'] } })
  })

  it('is an agent’s also where the client is one with a person in front of it, and where "act" names another', async () => {
    await gateway.call('list_orders', {}, { token: await gateway.mcpToken({ client_id: 'cli' }) })
    expect(contextOf()?.actor).toMatchObject({ agent: 'cli', delegation: expect.any(String) })
    await gateway.call('list_orders', {}, { token: await gateway.mcpToken({ act: { sub: 'robot' } }) })
    expect(contextOf()).toMatchObject({ client: 'some-client', actor: { agent: 'robot' } })
  })

  it('[P11] is made under one delegation of each user and client, and under none once that was ended', async () => {
    const delegationOf = async (claims: Record<string, unknown> = {}) => {
      await gateway.call('list_orders', {}, { token: await gateway.mcpToken(claims) })
      return contextOf()?.actor?.delegation
    }
    const first = await delegationOf()
    expect(await delegationOf()).toBe(first)
    expect(await delegationOf({ sub: 'ben' })).not.toBe(first)
    const theirs = { client_id: 'another-client' }
    const other = await delegationOf(theirs)
    expect(other).not.toBe(first)
    // Known here: by the database.
    const row = [...gateway.authority.delegations.values()].find(({ id }) => id === other)
    if (!row) throw new Error('no delegation')
    row.revoked = true
    gateway.graph.orders.received.length = 0
    const token = await gateway.mcpToken(theirs)
    for (const request of [gateway.call('list_orders', {}, { token }), gateway.mcp('tools/list', {}, { token })]) {
      const { status, body, headers } = await request
      expect({ status, body }).toMatchObject({ status: 401, body: { error: { data: { code: 'SESSION_ENDED' } } } })
      expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
    }
    row.revoked = false
    // And by what was heard of revocations.
    const revocation = { sequence: 1, notBefore: new Date(), reason: 'USER' } as const
    gateway.authority.revoked.push({ ...revocation, revoked: { kind: 'delegation', delegation: other ?? '' } })
    expect(await gateway.mcp('tools/list', {}, { token })).toMatchObject({ status: 401 })
    gateway.authority.revoked.length = 0
    expect(await gateway.mcp('tools/list', {}, { token })).toMatchObject({ status: 200 })
    expect(gateway.graph.orders.received).toEqual([])
  })

  it('[P11] is refused while nobody can tell what has ended, or who the client is', async () => {
    const token = await gateway.mcpToken()
    gateway.authority.age = 6000
    expect(await gateway.call('list_orders', {}, { token })).toMatchObject({ status: 503 })
    gateway.authority.age = 0
    expect(await gateway.call('list_orders', {}, { token })).toMatchObject({ status: 200 })
    gateway.authority.down = true
    expect(await gateway.call('list_orders', {}, { token: await gateway.mcpToken() })).toMatchObject({ status: 503 })
    // It was known a moment ago, and whatever ended it since would have been heard of.
    expect(await gateway.call('list_orders', {}, { token })).toMatchObject({ status: 200 })
    gateway.authority.age = 6000
    expect(await gateway.call('list_orders', {}, { token })).toMatchObject({ status: 503 })
    gateway.authority.age = 0
    gateway.authority.down = false
  })

  it('[P11] is refused at once where what it stands on is heard to have ended, though it was good a moment ago', async () => {
    const token = await gateway.mcpToken({ sid: 'sid-1' })
    const call = () => gateway.call('list_orders', {}, { token })
    expect(await call()).toMatchObject({ status: 200 })
    const { delegation = '' } = contextOf()?.actor ?? {}
    const { iss: issuer } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      iss: string
    }
    for (const revoked of [
      { kind: 'delegation', delegation: delegation ?? '' },
      { kind: 'session', issuer, session: 'sid-1' },
      { kind: 'subject', issuer: null, subject: 'usr_ada' },
    ] as const) {
      gateway.graph.orders.received.length = 0
      const notBefore = new Date(Date.now() + 1000)
      gateway.authority.revoked.push({ sequence: 1, notBefore, reason: 'USER', revoked })
      expect(await call()).toMatchObject({ status: 401, body: { error: { data: { code: 'SESSION_ENDED' } } } })
      expect(gateway.graph.orders.received).toEqual([])
      gateway.authority.revoked.length = 0
      expect(await call()).toMatchObject({ status: 200 })
    }
    const other = { kind: 'delegation', delegation: 'dlg_of_another' } as const
    gateway.authority.revoked.push({ sequence: 1, notBefore: new Date(), reason: 'USER', revoked: other })
    expect(await call()).toMatchObject({ status: 200 })
    gateway.authority.revoked.length = 0
  })

  it('[P14] is recorded: who, for whom, under which delegation, and what each hop was told', async () => {
    await gateway.call('list_orders')
    const actor = { subject: 'usr_ada', tenant: 'acme', actor: 'some-client' }
    const detail = { delegation: expect.stringMatching(/^dlg_/), run: 'mcp', client: 'some-client' }
    expect(events('tool.called')).toMatchObject([{ ...actor, target: 'list_orders', outcome: 'OK', detail }])
    expect(events('request')).toMatchObject([{ ...actor, outcome: 'OK', detail: { status: 200 } }])
    expect(new Set([...events('tool.called'), ...events('request')].map(({ txn }) => txn)).size).toBe(1)
    await gateway.mcp('tools/list')
    expect(events('tool.listed')).toMatchObject([
      { ...actor, detail: { tools: ['cancel_order', 'list_orders', 'send_chat', 'start_chat'] } },
    ])
  })

  it('is given up when its client goes away', async () => {
    gateway.graph.orders.misbehave = () => undefined
    const client = new AbortController()
    const gone = gateway.call('list_orders', {}, { signal: client.signal }).catch((error: unknown) => error)
    await expect.poll(() => gateway.graph.orders.received.length).toBe(1)
    client.abort()
    await gateway.graph.orders.received[0]?.aborted
    expect(await gone).toBeInstanceOf(Error)
  })
})

describe('[P9] a tool that needs an approval, over MCP', () => {
  it('says which one, what will be done and where it is decided; then the same call runs, once', async () => {
    const first = await asked()
    const { id } = first._meta['dev.behalf/approval'] ?? {}
    expect(first).toMatchObject({
      isError: true,
      _meta: {
        'dev.behalf/approval': {
          id: expect.stringMatching(/^apr_/),
          summary: 'Run cancel_order',
          decideAt: 'http://127.0.0.1:4000/',
        },
      },
    })
    expect(first).not.toHaveProperty('structuredContent')
    const { text = '' } = first.content[0] ?? {}
    for (const part of [id, 'Run cancel_order', 'http://127.0.0.1:4000/', 'with the same arguments'])
      expect(text).toContain(part)
    expect(idOf(await asked())).toBe(id)
    expect(idOf(await asked({ id: 'ord_2' }))).not.toBe(id)
    expect(effects()).toEqual([])

    await resolve(id ?? '', 'APPROVED')
    const done = await asked()
    expect(done).toMatchObject({ structuredContent: { cancelOrder: { id: 'ord_1' } } })
    expect(effects()).toHaveLength(1)
    expect(effects()[0]?.context.identity).toMatchObject({
      approval: { id, field: 'cancelOrder' },
      actor: { agent: 'some-client', call: expect.stringMatching(/^same_/) },
    })
    // Sent again, it is the same call to the subgraph, which records its effect under that id.
    await asked()
    expect(new Set(effects().map(({ context }) => context.identity.actor?.call)).size).toBe(1)
    expect(gateway.authority.approvals.kept.find((each) => each.id === id)?.uses).toBe(1)
  })

  it('says so where it was rejected', async () => {
    const first = await asked({ id: 'ord_3' })
    await resolve(idOf(first), 'REJECTED')
    expect(await asked({ id: 'ord_3' })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('APPROVAL_REJECTED') }],
    })
    expect(effects()).toEqual([])
  })

  it('is not approved by who is not its user, nor by an agent, whatever token it has', async () => {
    const id = idOf(await asked({ id: 'ord_4' }))
    await resolve(id, 'APPROVED', 'ben')
    // The proof is of another's decision.
    expect(await asked({ id: 'ord_4' })).toMatchObject({ isError: true })
    expect(effects()).toEqual([])
    const decide = 'mutation { resolveApproval(id: "apr_x", argumentsHash: "h") }'
    const agent = await gateway.ask(decide, { token: await gateway.token({ client_id: 'some-client', scope: people }) })
    expect(agent.body.errors).toMatchObject([{ extensions: { code: 'AGENT_DENIED' } }])
    expect(await gateway.call('resolve_approval', { id })).toMatchObject({ body: { error: { code: -32602 } } })
  })

  it('is another’s for another client', async () => {
    const id = idOf(await asked({ id: 'ord_5' }))
    await resolve(id, 'APPROVED')
    const token = await gateway.mcpToken({ client_id: 'another-client' })
    const { body } = await gateway.call('cancel_order', { id: 'ord_5' }, { token })
    expect(body['result']).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('APPROVAL_REQUIRED') }],
    })
    expect(effects()).toEqual([])
  })
})

describe('what a client is told', () => {
  it('[P15] is when to come back, where it asks too often', async () => {
    await using limited = await startMcpGateway({ limits: { user: { toolCalls: 1 } } })
    expect(await limited.call('list_orders')).toMatchObject({ status: 200 })
    const answer = await limited.call('list_orders')
    expect(answer).toMatchObject({ status: 429, body: { error: { data: { code: 'RATE_LIMITED' } } } })
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    // Of the user, whichever client.
    const token = await limited.mcpToken({ client_id: 'another-client' })
    expect(await limited.call('list_orders', {}, { token })).toMatchObject({ status: 429 })
  })

  it('[P2] is not what went wrong inside', async () => {
    await using broken = await startMcpGateway({
      registry: () => ({
        catalogue: () => {
          throw new Error('secret words')
        },
        call: () => Promise.reject(new Error('secret words')),
      }),
    })
    for (const answer of [await broken.mcp('tools/list'), await broken.call('list_orders')]) {
      expect(answer).toMatchObject({ status: 500, body: { error: { data: { code: 'INTERNAL' } } } })
      expect(answer.text).not.toContain('secret')
    }
    gateway.graph.orders.misbehave = (response) => response.end('secret words')
    const failed = await gateway.call('list_orders')
    expect(failed).toMatchObject({ status: 200, body: { result: { isError: true } } })
    expect(failed.text).not.toContain('secret')
  })

  it('is nothing, where MCP is not served', async () => {
    await using without = await startTestGateway()
    expect((await without.send('/mcp', { method: 'POST' })).status).toBe(404)
    await using unnamed = await startTestGateway({ mcp: createMcpEndpoint({ name: 'x', version: '1' }) })
    expect((await unnamed.send('/mcp', { method: 'POST' })).status).toBe(404)
  })
})
