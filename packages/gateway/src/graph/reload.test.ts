import { rmSync, utimesSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import {
  agentApiPaths,
  createWorkloadSigner,
  deriveWorkloadKey,
  type FieldRule,
  workloadTokenHeader,
} from '@behalf/identity'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rule } from '../fixtures/rule.ts'
import { type McpGateway, startMcpGateway } from '../fixtures/mcp-gateway.ts'
import { type RecordingMeter, recordMetrics } from '../fixtures/recording-meter.ts'

let meter: RecordingMeter
let gateway: McpGateway
beforeAll(() => {
  meter = recordMetrics()
})
afterAll(() => meter[Symbol.dispose]())
const counted = () => meter.of('behalf.gateway.graph.reloads').map(({ attributes }) => attributes['behalf.outcome'])
beforeEach(async () => {
  meter.measured.length = 0
  const none = { requests: null, cost: null }
  gateway = await startMcpGateway({ watchGraph: false, limits: { user: none, tenant: none, anonymous: none } })
})
afterEach(() => gateway[Symbol.asyncDispose]())

/** Changes rules of the graph, in its file. */
const changeRules = (rules: Record<string, Partial<FieldRule>>) =>
  gateway.graphFile.change((graph) => ({
    rules: { ...graph.rules, ...Object.fromEntries(Object.entries(rules).map(([at, change]) => [at, rule(change)])) },
  }))
const without = (field: string) =>
  gateway.graphFile.change(({ supergraph }) => ({
    supergraph: supergraph.replace(new RegExp(`^  ${field}[:(].*$`, 'm'), ''),
  }))
const codes = (answer: { body: { errors?: { extensions?: unknown }[] } }) =>
  answer.body.errors?.map(({ extensions }) => (extensions as { code: string }).code)
/** What only the internal port tells. */
const status = async () => {
  const { text } = await gateway.send('/readyz?verbose', { internal: true })
  return JSON.parse(text) as { status: string; graph: { hash: string; problem: Record<string, unknown> | null } }
}

describe('a new graph', () => {
  it('takes the place of the one before without dropping a request', async () => {
    const token = await gateway.token({ scope: 'profile orders:read' })
    const over = new AbortController()
    let asked = 0
    const failures: unknown[] = []
    async function keepAsking(query: string, expected: unknown) {
      while (!over.signal.aborted) {
        const answer = await gateway.ask(query, { token }).catch((error: unknown) => error as Error)
        asked++
        const isRight = 'body' in answer && JSON.stringify(answer.body.data) === JSON.stringify(expected)
        if (!isRight || answer.body.errors) failures.push('text' in answer ? answer.text : answer)
      }
    }
    const orders = [{ total: '10.00' }]
    const load = [
      ...Array.from({ length: 4 }, () =>
        keepAsking('{ viewer { id orders { total } } }', { viewer: { id: 'usr_ada', orders } }),
      ),
      ...Array.from({ length: 2 }, () =>
        keepAsking('{ chatBackend people { points } }', {
          chatBackend: 'none',
          people: [{ points: 7 }, { points: 7 }],
        }),
      ),
      keepAsking('mutation { rename(name: "x") { name orders { total } } }', { rename: { name: 'x', orders } }),
    ]
    for (let count = 0; count < 50; count++) {
      const before = asked
      changeRules({ 'Query.whoami': { authenticated: count % 2 === 0 } })
      expect((await gateway.reload()).problem).toBeNull()
      // Each of them serves.
      await expect.poll(() => asked, { interval: 1, timeout: 20_000 }).toBeGreaterThan(before + 5)
    }
    over.abort()
    await Promise.all(load)
    expect(failures).toEqual([])
    expect(counted()).toEqual(Array.from({ length: 50 }, () => 'served'))
  }, 60_000)

  it('[P6] is in force for the first request after it, with its rules', async () => {
    const token = await gateway.token({ scope: 'profile' })
    for (const isTight of [true, false, true]) {
      changeRules({ 'Query.people': { authenticated: true, scopes: isTight ? [['people:read']] : [] } })
      await gateway.reload()
      const answer = await gateway.ask('{ people { id } }', { token })
      expect(codes(answer)).toEqual(isTight ? ['UNAUTHORIZED_FIELD_OR_TYPE'] : undefined)
    }
  })

  it('is not of those that began before: they end with the graph that they began with', async () => {
    const token = await gateway.token({ scope: 'profile' })
    const held = Promise.withResolvers<ServerResponse>()
    gateway.graph.users.misbehave = (response) => held.resolve(response)
    const running = gateway.ask('{ viewer { orders { total } points } }', { token })
    const response = await held.promise
    gateway.graph.users.misbehave = null
    changeRules({ 'User.orders': { authenticated: true, scopes: [['nobody:has']] } })
    without('points')
    expect((await gateway.reload()).problem).toBeNull()
    expect(codes(await gateway.ask('{ viewer { orders { total } } }', { token }))).toEqual([
      'UNAUTHORIZED_FIELD_OR_TYPE',
    ])
    expect(codes(await gateway.ask('{ viewer { points } }', { token }))).toEqual(['GRAPHQL_VALIDATION_FAILED'])
    response
      .setHeader('content-type', 'application/json')
      .end('{"data":{"viewer":{"__typename":"User","id":"usr_ada"}}}')
    expect((await running).body).toMatchObject({ data: { viewer: { orders: [{ total: '10.00' }], points: 7 } } })
    expect((await running).body.errors).toBeUndefined()
  })

  it('[P10] has its own tools, listed and run, over MCP', async () => {
    const names = async () =>
      ((await gateway.mcp('tools/list')).body['result'].tools as { name: string }[]).map(({ name }) => name)
    expect(await names()).toContain('list_orders')
    gateway.graphFile.change(({ tools }) => ({
      tools: tools.filter(({ name }) => name !== 'list_orders').concat({ ...tools[1]!, name: 'my_orders' }),
    }))
    expect((await gateway.reload()).problem).toBeNull()
    expect(await names()).not.toContain('list_orders')
    expect(await names()).toContain('my_orders')
    expect((await gateway.call('list_orders')).body['error']).toMatchObject({ code: -32602 })
    expect((await gateway.call('my_orders')).body['result'].isError).toBeFalsy()
    const metadata = await gateway.send('/.well-known/oauth-protected-resource/mcp')
    expect(JSON.parse(metadata.text)).toMatchObject({ scopes_supported: expect.arrayContaining(['orders:read']) })
  })
})

describe('an agent', () => {
  async function post(path: string, body: string, type = 'application/json') {
    const key = deriveWorkloadKey(gateway.rootKey, 'chat', 1)
    const signer = createWorkloadSigner({ name: 'chat', key, trustDomain: 'behalf' })
    const token = signer.sign({ method: 'POST', path, body: Buffer.from(body) })
    const headers = { 'content-type': type, [workloadTokenHeader]: token }
    const { text } = await gateway.send(path, { internal: true, method: 'POST', body, headers })
    return JSON.parse(text) as Record<string, unknown>
  }
  const person = () =>
    gateway.token({ scope: 'profile orders:read orders:write chat', sid: 's1', auth_time: 1763856000 })
  async function delegation(): Promise<string> {
    await gateway.ask('mutation { chatSend(text: "hi") }', { token: await person() })
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: gateway.graph.chat.received.at(-1)?.context.ticket ?? '',
      subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
    })
    return String((await post('/internal/token', form.toString(), 'application/x-www-form-urlencoded'))['access_token'])
  }
  const cancel = async (handle: string, call: string) =>
    post(
      '/internal/tools/call',
      JSON.stringify({ delegation: handle, run: 'run_1', call, name: 'cancel_order', arguments: { id: 'ord_1' } }),
    )
  async function approved(handle: string, call: string): Promise<void> {
    const { approval } = (await cancel(handle, call)) as { approval: { id: string; argumentsHash: string } }
    await gateway.ask('mutation ($id: ID!, $hash: String!) { resolveApproval(id: $id, argumentsHash: $hash) }', {
      token: await person(),
      variables: { id: approval.id, hash: approval.argumentsHash },
    })
    const sealed =
      gateway.graph.users.received.findLast(({ operation }) => operation === 'mutation')?.context.ticket ?? ''
    gateway.authority.approvals.resolve(approval.id, 'APPROVED', { sealed, to: 'users' })
  }
  const cancellations = () => gateway.graph.orders.received.filter(({ operation }) => operation === 'mutation')
  /** As a composition gives it a version of its own. */
  const anotherTool = () =>
    gateway.graphFile.change(({ tools }) => ({
      tools: tools.map((tool) =>
        tool.name === 'cancel_order'
          ? {
              ...tool,
              version: 'v2',
              operation: 'mutation cancel_order($id: ID!) { cancelOrder(id: $id) { id total } }',
            }
          : tool,
      ),
    }))

  it.each([
    ['the same tool', false],
    ['another tool of the name', true],
  ])('[P9] runs with an approval that was given before for %s: %s', async (_what, isAnother) => {
    const handle = await delegation()
    await approved(handle, 'call_1')
    if (isAnother) anotherTool()
    else changeRules({ 'Query.whoami': { authenticated: true } })
    expect((await gateway.reload()).problem).toBeNull()
    const outcome = await cancel(handle, 'call_1')
    expect(outcome).toMatchObject(isAnother ? { ok: false, error: { code: 'APPROVAL_MISMATCH' } } : { ok: true })
    expect(cancellations()).toHaveLength(isAnother ? 0 : 1)
  })

  it('[P8] whom the new graph does not start any more is refused', async () => {
    const handle = await delegation()
    const list = () => post(agentApiPaths.listTools, JSON.stringify({ delegation: handle, run: 'run_1' }))
    expect(await list()).toMatchObject({ tools: expect.any(Array) })
    changeRules({ 'Mutation.chatSend': {}, 'Mutation.chatAgain': {}, 'Mutation.startOver': {} })
    expect((await gateway.reload()).problem).toBeNull()
    expect(await list()).toMatchObject({ error: { code: 'WORKLOAD_REFUSED' } })
  })
})

describe('a graph that cannot be served', () => {
  const faults: Record<string, [() => void, Record<string, unknown>]> = {
    'is not whole': [() => gateway.graphFile.write(gateway.graphFile.text.slice(0, -10)), { line: 1 }],
    'is not JSON': [() => gateway.graphFile.write('{\n  "format": 1,\n  nonsense\n}'), { line: 3, column: 3 }],
    'is empty': [() => gateway.graphFile.write(''), { line: 1, column: 1 }],
    'is of another version': [
      () => gateway.graphFile.change(() => ({ format: 2 as never })),
      { message: expect.stringContaining('not a graph of this version') },
    ],
    'is not there': [() => rmSync(gateway.graph.path), { message: expect.stringContaining('cannot be read') }],
    'names a policy that nobody gave': [
      () => changeRules({ 'Query.people': { policies: [['unheard-of']] } }),
      { message: expect.stringContaining('"unheard-of"') },
    ],
    'has a supergraph that does not parse': [
      () => gateway.graphFile.change(({ supergraph }) => ({ supergraph: `${supergraph} type {` })),
      { message: expect.stringContaining('Syntax Error') },
    ],
    'has a supergraph that does not build': [
      () =>
        gateway.graphFile.change(({ supergraph }) => ({ supergraph: supergraph.replaceAll('[Order!]', '[Nothing!]') })),
      { message: expect.stringContaining('Nothing') },
    ],
    'has a subgraph at no URL': [
      () =>
        gateway.graphFile.change(({ supergraph }) => ({
          supergraph: supergraph.replace(gateway.graph.users.url, 'ftp://users'),
        })),
      { message: expect.stringContaining('ftp://users') },
    ],
    'did not compose': [
      () =>
        gateway.graphFile.write(
          JSON.stringify({
            format: 1,
            problems: [
              { file: 'apps/a.graphql', line: 7, message: 'OWNERSHIP_UNSAID one' },
              { file: 'apps/b.graphql', line: 9, message: 'SYNTAX two' },
            ],
          }),
        ),
      {
        message: 'apps/a.graphql:7  OWNERSHIP_UNSAID one\napps/b.graphql:9  SYNTAX two',
        file: 'apps/a.graphql',
        line: 7,
      },
    ],
    'has a hash, and a subgraph at no URL': [
      () =>
        gateway.graphFile.change(({ supergraph }) => ({
          hash: 'refused',
          supergraph: supergraph.replace(gateway.graph.users.url, 'ftp://users'),
        })),
      { hash: 'refused' },
    ],
    'has a tool of which nobody can tell what it takes': [
      () => gateway.graphFile.change(({ tools }) => ({ tools: [{ ...tools[0]!, inputSchema: { type: 'nothing' } }] })),
      { message: expect.stringContaining('cancel_order') },
    ],
  }
  it.each(Object.entries(faults))(
    '%s: the one before serves on, and it is said why',
    async (name, [breakIt, problem]) => {
      const token = await gateway.token({ scope: 'profile' })
      const whole = gateway.graphFile.text
      breakIt()
      const found = { file: gateway.graph.path, message: expect.any(String), ...problem }
      expect(await gateway.reload()).toMatchObject({ hash: 'test', problem: found })
      expect(await status()).toMatchObject({ status: 'ready', graph: { hash: 'test', problem: found } })
      expect((await gateway.send('/readyz?verbose')).text).toBe('{"status":"ready"}')
      const [outcome, said] =
        name === 'is not there' ? ['unreadable', 'the graph cannot be read'] : ['refused', 'the new graph is refused']
      expect(counted()).toEqual([outcome])
      expect(gateway.logs.findLast((line) => line.includes(said))).toContain('"level":50')
      expect((await gateway.ask('{ viewer { id orders { total } } }', { token })).body).toMatchObject({
        data: { viewer: { orders: [{ total: '10.00' }] } },
      })
      gateway.graphFile.write(whole)
      expect((await gateway.reload()).problem).toBeNull()
      expect((await status()).graph.problem).toBeNull()
      gateway.graphFile.write(whole.replace('"hash":"test"', '"hash":"good"'))
      expect(await gateway.reload()).toMatchObject({ hash: 'good', problem: null })
      expect((await gateway.ask('{ chatBackend }')).body.data).toEqual({ chatBackend: 'none' })
    },
  )
})

describe('the file of the graph', () => {
  beforeEach(async () => {
    await gateway[Symbol.asyncDispose]()
    gateway = await startMcpGateway()
  })
  async function isServed(hash: string): Promise<void> {
    await expect.poll(async () => (await status()).graph, { timeout: 10_000 }).toMatchObject({ hash, problem: null })
  }

  it('is watched, and what takes its place is served', async () => {
    for (const hash of ['one', 'two', 'three']) {
      gateway.graphFile.change(() => ({ hash }))
      await isServed(hash)
    }
    expect(counted()).toEqual(['served', 'served', 'served'])
  })

  it('is not read anew for its times', async () => {
    utimesSync(gateway.graph.path, new Date(), new Date(0))
    gateway.graphFile.write(gateway.graphFile.text)
    gateway.graphFile.change(() => ({ hash: 'one' }))
    await isServed('one')
    expect(counted()).toEqual(['served'])
  })

  it('may have changed within the same moment', async () => {
    const time = new Date()
    for (const hash of ['aaa', 'bbb']) {
      gateway.graphFile.change(() => ({ hash }))
      utimesSync(gateway.graph.path, time, time)
      await isServed(hash)
    }
    expect(counted()).toEqual(['served', 'served'])
  })

  it('is served as soon as it is whole, where its writer was slow', async () => {
    const text = gateway.graphFile.text.replace('"hash":"test"', '"hash":"late"')
    writeFileSync(gateway.graph.path, text.slice(0, 500))
    await expect.poll(async () => (await status()).graph.problem, { timeout: 10_000 }).toMatchObject({ line: 1 })
    expect((await gateway.ask('{ chatBackend }')).body.data).toEqual({ chatBackend: 'none' })
    writeFileSync(gateway.graph.path, text)
    await isServed('late')
  })
})
