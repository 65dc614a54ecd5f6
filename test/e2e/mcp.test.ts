import { randomBytes } from 'node:crypto'
import type { ProtocolError } from '@modelcontextprotocol/client'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startBearerProxy } from '../support/bearer-proxy.ts'
import { runSuite } from '../support/conformance-suite.ts'
import { occursIn } from '../support/find-secrets.ts'
import { createMcpUser, type McpUser } from '../support/mcp-client.ts'
import { type RecordedSystem, startRecordedSystem } from '../support/recorded-system.ts'
import type { GraphqlAnswer } from '../support/system.ts'

let recorded: RecordedSystem
let url: string
const page = 'https://console.example/decide'
const used: McpUser[] = []
const readers = 'profile orders:read balance:read'.split(' ')

beforeAll(async () => {
  recorded = await startRecordedSystem({ APPROVALS_URL: page })
  url = `${recorded.system.urls.gateway}/mcp`
}, 180_000)
afterAll(() => recorded?.[Symbol.asyncDispose]())

function mcpUser(user: string, more: Partial<Parameters<typeof createMcpUser>[0]> = {}): McpUser {
  const made = createMcpUser({ url, user, mode: 'auto', userAgent: recorded.userAgent, ...more })
  used.push(made)
  return made
}
const namesOf = async (user: McpUser) => {
  const { tools } = await user.signingIn(() => user.client.listTools())
  return tools.map(({ name }) => name)
}
/** As somebody in person, with the console's rights. */
async function ask(user: string, query: string, variables: Record<string, unknown> = {}) {
  return (await recorded.system.graphql(await recorded.system.token(user), query, variables)).body
}
const statusOf = async (id: string) =>
  (await ask('ada', 'query ($id: ID!) { order(id: $id) { status } }', { id })).data?.['order'].status as string
const resolve = (id: string, argumentsHash: string, decision: string) =>
  ask(
    'ada',
    `mutation ($id: ID!, $hash: String!, $decision: ApprovalDecision!) {
      resolveApproval(id: $id, argumentsHash: $hash, decision: $decision) { state } }`,
    { id, hash: argumentsHash, decision },
  )
const cancellable = async () => {
  const { data } = await ask('ada', '{ viewer { orders(first: 100) { edges { node { id status } } } } }')
  const nodes = data?.['viewer'].orders.edges.map(({ node }: { node: unknown }) => node) as {
    id: string
    status: string
  }[]
  return nodes.filter(({ status }) => status === 'PLACED' || status === 'PROCESSING').map(({ id }) => id)
}
async function decide(id: string, decision: string): Promise<GraphqlAnswer['body']> {
  const { data } = await ask('ada', 'query ($id: ID!) { approval(id: $id) { argumentsHash } }', { id })
  return resolve(id, data?.['approval'].argumentsHash, decision)
}

describe('the official MCP client', { timeout: 120_000 }, () => {
  it.each(['auto', 'legacy'] as const)(
    '[P10] goes all the way with a URL alone: 401, metadata, sign-in with PKCE and resource, token, tools (%s)',
    async (mode) => {
      const ada = mcpUser('ada', { mode })
      expect(await namesOf(ada)).toEqual([
        'cancel_order',
        'get_balance',
        'get_order_status',
        'list_orders',
        'list_transactions',
        'transfer',
      ])
      expect(ada.client.getNegotiatedProtocolVersion()).toBe(mode === 'auto' ? '2026-07-28' : '2025-11-25')
      const paths = ada.exchanges.map(({ url: asked, status }) => `${status} ${new URL(asked).pathname}`)
      expect(paths[0]).toBe('401 /mcp')
      expect(ada.exchanges[0]?.challenge).toContain('/.well-known/oauth-protected-resource/mcp"')
      expect(paths).toContain('200 /.well-known/oauth-protected-resource/mcp')
      expect(paths).toContain('200 /token')
      const { structuredContent, isError } = await ada.client.callTool({ name: 'get_balance', arguments: {} })
      expect(isError).toBeFalsy()
      expect(structuredContent).toMatchObject({ viewer: { balance: { currency: 'EUR' } } })
      const wrong = await ada.client.callTool({ name: 'get_order_status', arguments: {} })
      expect(wrong).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('"orderId" is missing') }],
      })
    },
  )

  it('[P10] lists for ada what it does not list for sam, since their roles differ; to him it does not exist', async () => {
    const [ada, sam] = [mcpUser('ada'), mcpUser('sam')]
    const [ofAda, ofSam] = [await namesOf(ada), await namesOf(sam)]
    expect(ofAda.filter((name) => !ofSam.includes(name))).toEqual(['transfer'])
    const transfer = { payeeId: 'pay_4Tz9', amount: '1.00' }
    const codeOf = (name: string) =>
      sam.client.callTool({ name, arguments: transfer }).catch((error: ProtocolError) => [error.code, error.message])
    expect(await codeOf('transfer')).toEqual([-32602, 'There is no tool of that name.'])
    expect(await codeOf('transfers')).toEqual(await codeOf('transfer'))
    const asked = await ada.client.callTool({ name: 'transfer', arguments: transfer })
    expect(asked).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('APPROVAL_REQUIRED') }] })
  })

  it('[P10] is asked for every scope at once, gets them by signing in again, and goes on', async () => {
    const ada = mcpUser('ada', { scopes: ['profile'] })
    expect(await namesOf(ada)).toContain('list_orders')
    const before = ada.exchanges.length
    const call = () => ada.client.callTool({ name: 'list_orders', arguments: {} })
    expect(await ada.signingIn(call)).toMatchObject({ structuredContent: { viewer: { orders: {} } } })
    const challenged = ada.exchanges.slice(before).filter(({ status }) => status === 403)
    expect(challenged).toMatchObject([
      {
        challenge: expect.stringContaining(
          'error="insufficient_scope", error_description="You may not see or do this.", scope="orders:read"',
        ),
      },
    ])
    expect(ada.exchanges.slice(before).some(({ url: asked }) => asked.endsWith('/token'))).toBe(true)
  })

  it('[P9] waits for the user where a tool needs an approval, then does it once; and not what they reject', async () => {
    const ada = mcpUser('ada')
    const [orderId = '', other = ''] = await cancellable()
    const cancel = (id: string) =>
      ada.signingIn(() =>
        ada.client.callTool({ name: 'cancel_order', arguments: { orderId: id, reason: 'a mistake' } }),
      )
    const before = await statusOf(orderId)
    const first = await cancel(orderId)
    const approval = first._meta?.['dev.behalf/approval'] as Record<string, string>
    expect(approval).toMatchObject({
      summary: `Cancel order "${orderId}". Reason: "a mistake"`,
      decideAt: `${page}?approval=${approval['id']}`,
    })
    const [{ text } = { text: '' }] = first.content as { text: string }[]
    for (const part of [approval['id'], approval['summary'], approval['decideAt']]) expect(text).toContain(part)
    expect((await cancel(orderId))._meta?.['dev.behalf/approval']).toMatchObject({ id: approval['id'] })
    expect(await statusOf(orderId)).toBe(before)

    // Whatever token an MCP client has, it decides nothing.
    const token = ada.credentials.find((credential) => credential.split('.').length === 3) ?? ''
    const graphql = await recorded.system.graphql(token, '{ viewer { approvals { id } } }')
    expect(graphql.status).toBe(401)

    expect((await decide(approval['id'] ?? '', 'APPROVE')).errors).toBeUndefined()
    const all = await Promise.all(Array.from({ length: 5 }, () => cancel(orderId)))
    for (const done of all)
      expect(done).toMatchObject({ structuredContent: { cancelOrder: { id: orderId, status: 'CANCELLED' } } })
    expect(await statusOf(orderId)).toBe('CANCELLED')

    const asked = (await cancel(other))._meta?.['dev.behalf/approval'] as Record<string, string>
    expect((await decide(asked['id'] ?? '', 'REJECT')).errors).toBeUndefined()
    expect(await cancel(other)).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('APPROVAL_REJECTED') }],
    })
    expect(await statusOf(other)).not.toBe('CANCELLED')
  })

  it('[P9] sends its user to the page where they decide, if it can, and goes on by itself: once, or not at all', async () => {
    const [orderId = ''] = await cancellable()
    const pages: URL[] = []
    const cancelling = async (reason: string, visit: (at: URL) => Promise<'accept' | 'decline'>) => {
      const ada = mcpUser('ada', {
        async visit(at) {
          pages.push(at)
          return visit(at)
        },
      })
      return ada.signingIn(() => ada.client.callTool({ name: 'cancel_order', arguments: { orderId, reason } }))
    }
    const failing = (code: string) => ({ isError: true, content: [{ text: expect.stringContaining(code) }] })
    expect(await cancelling('never mind', async () => 'decline')).toMatchObject(failing('APPROVAL_REQUIRED'))
    const rejecting = async (at: URL) => {
      await decide(at.searchParams.get('approval') ?? '', 'REJECT')
      return 'accept' as const
    }
    expect(await cancelling('another mistake', rejecting)).toMatchObject(failing('APPROVAL_REJECTED'))
    expect(await statusOf(orderId)).not.toBe('CANCELLED')

    pages.length = 0
    const approving = async (at: URL) => {
      // What they say in the client is no decision: they come back once before they have made one.
      if (pages.length > 1) await decide(at.searchParams.get('approval') ?? '', 'APPROVE')
      return 'accept' as const
    }
    expect(await cancelling('the last one', approving)).toMatchObject({
      structuredContent: { cancelOrder: { id: orderId, status: 'CANCELLED' } },
    })
    expect(pages.map(({ origin, pathname }) => `${origin}${pathname}`)).toEqual([page, page])
    expect(new Set(pages.map(({ search }) => search)).size).toBe(1)
  })

  it('[P11] acts under a delegation that its user sees and ends at once; it is back when they sign in for it again', async () => {
    const ben = mcpUser('ben', { scopes: readers })
    expect(await namesOf(ben)).toContain('get_balance')
    const { data } = await ask('ben', '{ viewer { delegations { id agent client scopes revokedAt } } }')
    const [mine] = (data?.['viewer'].delegations ?? []) as Record<string, unknown>[]
    expect(mine).toMatchObject({ agent: 'mcp-dev', client: 'mcp-dev', revokedAt: null })
    const end = 'mutation ($id: ID!) { revokeDelegation(id: $id) { revokedAt } }'
    expect((await ask('ben', end, { id: mine?.['id'] })).errors).toBeUndefined()
    const token = ben.credentials.findLast((credential) => credential.split('.').length === 3)
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    }
    const refused = await fetch(url, {
      method: 'POST',
      headers,
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    })
    expect(refused.status).toBe(401)
    // Clocks may differ by 5 seconds: until these are over, no sign-in is known to be later.
    const again = async () => namesOf(mcpUser('ben', { scopes: readers })).catch(() => [])
    await expect.poll(again, { timeout: 30_000, interval: 1000 }).toContain('get_balance')
  })
})

it('[P10] passes what the official conformance suite asks of any server: no fixture is needed for it', async () => {
  const token = await recorded.system.token('ada', { for: 'mcp' })
  await using proxy = await startBearerProxy(url, token)
  const at = `http://127.0.0.1:${proxy.port}/mcp`
  const inBoth = ['tools-list', 'dns-rebinding-protection']
  for (const [revision, scenarios] of [
    ['2025-11-25', ['server-initialize', ...inBoth]],
    ['2026-07-28', inBoth],
  ] as const)
    for (const scenario of scenarios) {
      const { passed } = await runSuite(at, ['--scenario', scenario, '--spec-version', revision])
      expect({ revision, passed }).toEqual({ revision, passed: [scenario] })
    }
}, 120_000)

it('[P2] no access token, code or verifier of an MCP session is in any byte between processes, in any log or row', async () => {
  const secrets = used.flatMap(({ credentials }) => credentials).filter((secret) => secret.length > 20)
  // Of a token its signature: what it claims is also found in others.
  const signatures = secrets.map((secret) => /^ey[\w-]+\.[\w-]+\.([\w-]+)$/.exec(secret)?.[1] ?? secret)
  expect(signatures.length).toBeGreaterThan(15)
  // The answers of the gateway to the clients are among what is looked at.
  const answers = used.flatMap(({ exchanges }) =>
    exchanges.filter(({ url: asked }) => new URL(asked).pathname !== '/token').map(({ answer }) => answer),
  )
  const admin = new pg.Client({ connectionString: recorded.databaseUrl })
  await admin.connect()
  const { rows } = await admin.query(
    'select d::text from authority.delegation d union all select e::text from behalf.audit_event e',
  )
  const delegation = await admin.query(
    "select id from authority.delegation where client = 'mcp-dev' and subject = 'usr_ada'",
  )
  await admin.end()
  const planted = `planted${randomBytes(24).toString('hex')}`
  await recorded.plant(planted)
  expect(await recorded.system.stop()).toBe(0)
  await recorded.plantInLogs(planted)
  const legs = await recorded.legs()
  const everywhere = [
    ...legs,
    ['answers', { text: answers.join('\n') }],
    ['rows', { text: JSON.stringify(rows) }],
  ] as const
  // Something of the session is there: what was looked through is what was said.
  const [{ id } = { id: '' }] = delegation.rows as { id: string }[]
  for (const leg of ['gateway → orders', 'gateway → balance', 'gateway → database', 'rows'])
    expect(occursIn(everywhere.find(([name]) => name === leg)?.[1] ?? { text: '' }, id)).toBe(true)
  // And on every leg it would have been found.
  expect([...legs].filter(([, searchable]) => !occursIn(searchable, planted)).map(([leg]) => leg)).toEqual([])
  const found = everywhere.flatMap(([leg, searchable]) =>
    signatures.filter((secret) => occursIn(searchable, secret)).map(() => leg),
  )
  expect(found).toEqual([])
})
