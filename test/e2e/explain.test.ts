import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openAudit, type StoredAuditEvent } from '@behalf/postgres'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { root, startSystem, type System } from '../support/system.ts'

/** Each command is two processes more. */
vi.setConfig({ testTimeout: 90_000 })

let system: System
beforeAll(async () => {
  system = await startSystem()
})
afterAll(async () => void (await system.stop()))

/** `npm run --silent explain -- ...`, as a newcomer runs it: with nothing set but where the system is. */
async function explain(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { PATH = '', BEHALF_DATA_DIR = '' } = system.env
  const command = ['run', '--silent', 'explain', '--', ...args]
  return promisify(execFile)('npm', command, { cwd: root, env: { PATH, BEHALF_DATA_DIR } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  )
}
/** Lines without times. */
const told = (stdout: string) =>
  stdout
    .replaceAll(/ in [\d.]+ ms/g, '')
    .replaceAll(/ {2}\d{4}-\S+Z$/gm, '')
    .trim()
    .split('\n')

const send = `mutation Send($input: ChatSendInput!) { chatSend(input: $input) { error { code } run { status toolCalls { tool status } } } }`
let messages = 0
async function chat(user: string, text: string) {
  const input = { text, idempotencyKey: `explained-${++messages}` }
  const { body } = await system.graphql(await system.token(user), send, { input })
  expect(body.errors).toBeUndefined()
  expect(body.data?.['chatSend'].run.status).toBe('COMPLETED')
  return body.extensions?.txn ?? ''
}

async function eventsOf(user: string) {
  const query = `{ viewer { auditEvents(first: 100) { edges { node {
    id txn parent at source what target rule outcome actor durationMs } } } } }`
  const { body } = await system.graphql(await system.token(user), query)
  expect(body.errors).toBeUndefined()
  return ((body.data?.['viewer'].auditEvents.edges ?? []) as { node: Record<string, unknown> }[]).map(
    ({ node }) => node,
  )
}

describe('[P14] behalf explain', () => {
  it('tells why a field is missing, and what each receiver was told, right after the answer', async () => {
    const token = await system.token('ada', { scopes: ['profile', 'orders:read'] })
    const query = 'query Mine { viewer { id name balance { amount } orders(first: 1) { edges { node { id } } } } }'
    const { body } = await system.graphql(token, query)
    expect(body.data?.['viewer']).toMatchObject({ id: 'usr_ada', balance: null, orders: { edges: [{}] } })
    expect(body.errors).toMatchObject([{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }])
    const txn = body.extensions?.txn ?? ''
    const { code, stdout, stderr } = await explain(txn)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(told(stdout)).toEqual([
      `request  ${txn}  OK`,
      '├─ by usr_ada of acme, in person, through behalf-cli',
      '├─ with the scopes profile orders:read',
      '├─ query Mine, cost 6',
      '├─ denied: User.balance, UNAUTHORIZED_FIELD_OR_TYPE',
      '│  ├─ rule     @requiresScopes(scopes: [["balance:read"]])',
      '│  └─ missing  balance:read',
      '├─ asked identity (query): OK',
      '│  ├─ told the scopes  profile',
      '│  └─ told the facts   none',
      '└─ asked orders (query): OK',
      '   ├─ told the scopes  orders:read',
      '   └─ told the facts   tier = "premium"',
    ])
    // What orders itself says that it was told.
    const lines = (await system.log('orders')).split('\n').filter((line) => line.includes(txn))
    expect(lines.join('\n')).toContain('"facts":{"tier":"premium"}')
  })

  it('shows a message with the tools it led to, each with what it was told', async () => {
    const txn = await chat('ada', 'What is my balance?')
    const { stdout } = await explain(txn)
    const lines = told(stdout)
    expect(lines.slice(0, 8)).toEqual([
      `request  ${txn}  OK`,
      '├─ by usr_ada of acme, in person, through behalf-cli',
      expect.stringMatching(/^├─ with the scopes .*\bchat\b/),
      '├─ mutation Send, cost 24',
      '├─ asked orchestrator (mutation): OK',
      '│  ├─ told the scopes  chat',
      '│  ├─ told the facts   none',
      '│  └─ given a ticket, with which it may start an agent',
    ])
    expect(stdout).toMatch(/^├─ delegation made: dlg_\S+, for assistant until /m)
    expect(stdout).toMatch(
      /^├─ tools listed: cancel_order, get_balance, get_order_status, list_orders, list_transactions, transfer {2}/m,
    )
    const tool = lines.findIndex((line) => line.startsWith('└─ tool get_balance'))
    expect(lines.slice(tool + 1)).toEqual([
      '   ├─ by usr_ada of acme, for whom assistant acts, through behalf-cli',
      expect.stringMatching(/^ {3}├─ under dlg_\S+, in run_\S+$/),
      '   ├─ by the rule @requiresScopes(scopes: [["balance:read"]])',
      '   ├─ query get_balance, cost 3',
      '   ├─ asked identity (query): OK',
      '   │  ├─ told the scopes  none',
      '   │  └─ told the facts   none',
      '   └─ asked balance (query): OK',
      '      ├─ told the scopes  balance:read',
      '      └─ told the facts   none',
    ])
  })

  it("shows what was asked for another's order: told as nobody's, because the database has none", async () => {
    const { body } = await system.graphql(await system.token('ben'), '{ order(id: "ord_7Kx2") { status } }')
    expect(body).toMatchObject({ data: { order: null } })
    const { stdout } = await explain(body.extensions?.txn ?? '')
    expect(told(stdout).slice(1)).toEqual([
      '├─ by usr_ben of acme, in person, through behalf-cli',
      expect.stringMatching(/^├─ with the scopes /),
      '├─ query, cost 2',
      '└─ asked orders (query): OK',
      '   ├─ told the scopes  orders:read orders:write',
      '   └─ told the facts   tier = "basic"',
    ])
    expect(stdout).not.toMatch(/ord_|usr_ada/)
  })

  it('shows what a subgraph withheld, and by which rule', async () => {
    const query = '{ user(id: "usr_ben") { name balance { amount } } }'
    const { body } = await system.graphql(await system.token('sam'), query)
    expect(body.data?.['user']).toEqual({ name: expect.stringContaining('Ben'), balance: null })
    const { stdout } = await explain(body.extensions?.txn ?? '')
    expect(stdout).toContain(
      '└─ withheld in balance: User of Query._entities, FOREIGN_OBJECT_WITHHELD\n   └─ rule     @owner(field: "id")\n',
    )
    expect(stdout).not.toContain('usr_ben')
  })

  it('shows a request that was refused as a whole, and headers that were ignored', async () => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${await system.token('ada')}` }
    const ask = async (query: string, more = {}) => {
      const body = JSON.stringify({ query })
      const response = await fetch(system.urls.graphql, { method: 'POST', headers: { ...headers, ...more }, body })
      return ((await response.json()) as { extensions: { txn: string } }).extensions.txn
    }
    const refused = await explain(await ask('{ nothing }'))
    expect(refused.stdout).toMatch(/^request {2}\S+ {2}GRAPHQL_VALIDATION_FAILED in /)
    const ignored = await explain(await ask('{ viewer { id } }', { 'x-user-id': 'usr_ben', 'txn-token': 'x' }))
    expect(ignored.stdout).toMatch(/├─ headers ignored: (x-user-id, txn-token|txn-token, x-user-id)/)
    expect(ignored.stdout).toContain('by usr_ada')
  })

  it('says so where nothing is known, and prints events as JSON', async () => {
    const unknown = await explain('01980f6e-1111-7abc-8def-0123456789ab')
    expect(unknown).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^There is no event of transaction 01980f6e-1111-7abc-8def-0123456789ab\.\n/),
    })
    const { body } = await system.graphql(await system.token('chloe'), '{ viewer { id } }')
    const { stdout } = await explain(body.extensions?.txn ?? '', '--json')
    expect(JSON.parse(stdout)).toMatchObject([{ what: 'request', subject: 'usr_chloe', source: 'gateway' }])
  })
})

describe('[P14] viewer { auditEvents }', () => {
  it("shows ada what was decided about her, her agents' calls included, and ben nothing of it", async () => {
    const txn = await chat('ada', 'Which orders do I have?')
    await system.graphql(await system.token('ben'), '{ viewer { id } }')
    await expect
      .poll(async () => (await eventsOf('ada')).filter((event) => event['txn'] === txn).length)
      .toBeGreaterThan(1)
    const ada = await eventsOf('ada')
    expect(ada.find((event) => event['parent'] === txn && event['what'] === 'tool.called')).toMatchObject({
      target: 'list_orders',
      actor: 'assistant',
      outcome: 'OK',
      rule: '@requiresScopes(scopes: [["orders:read"]])',
      source: 'gateway',
    })
    const ben = await eventsOf('ben')
    expect(ben.length).toBeGreaterThan(0)
    const seen = new Set(ada.map(({ id }) => id))
    expect(ben.filter(({ id }) => seen.has(id))).toEqual([])
  })
})

describe('[P14] what is kept', () => {
  it('[P2] holds no argument, no text, no result, no credential and no context token, while who and what is there', async () => {
    const secret = 'the secret of the purple elephant'
    await chat('ada', `Where is my order ord_7Kx2? ${secret}`)
    await chat('ada', 'Where is my order ord_7Kx2?')
    const { body } = await system.graphql(
      await system.token('ada'),
      'query ($id: ID!) { order(id: $id) { id total } }',
      {
        id: 'ord_7Kx2',
      },
    )
    expect(body.data?.['order'].id).toBe('ord_7Kx2')
    const total: string = body.data?.['order'].total
    const profile = await system.token('ada', { scopes: ['profile'] })
    const denied = await system.graphql(profile, '{ viewer { name balance { amount } } }')
    for (const txn of [body, denied.body].map(({ extensions }) => extensions?.txn ?? ''))
      expect((await explain(txn)).code).toBe(0)

    const rows = await everything()
    const tokens = await Promise.all(['ada', 'ben', 'chloe'].map((user) => system.token(user)))
    const kept = JSON.stringify(rows)
    for (const present of ['usr_ada', 'get_order_status', 'User.balance', 'premium', 'behalf-cli'])
      expect(kept).toContain(present)
    for (const absent of ['ord_', total, 'purple', 'Where is', ...tokens.map((token) => token.split('.')[2] ?? 'x')])
      expect(kept).not.toContain(absent)
    // A context token, a ticket and a handle have forms that nothing in here has.
    expect(kept).not.toMatch(/eyJ[\w-]{10,}/)
    expect(`${kept}${tokens[0]}`).toMatch(/eyJ[\w-]{10,}/)
  })

  it('is for the administrator, whose password is in a file that only its owner may read', async () => {
    const path = join(system.dataDir, 'database-url')
    expect((await stat(path)).mode & 0o077).toBe(0)
  })
})

/** Every row, by way of the transactions that the logs name. */
async function everything(): Promise<StoredAuditEvent[]> {
  const url = (await readFile(join(system.dataDir, 'database-url'), 'utf8')).trim()
  const logs = await Promise.all(
    (['orders', 'balance', 'identity', 'orchestrator'] as const).map((name) => system.log(name)),
  )
  const txns = new Set(Array.from(logs.join('').matchAll(/"txn":"([\da-f-]{36})"/g), ([, txn = '']) => txn))
  await using audit = await openAudit(url)
  const rows: StoredAuditEvent[] = []
  for (const txn of txns) rows.push(...(await audit.read(txn)))
  expect(rows.length).toBeGreaterThan(10)
  return rows
}
