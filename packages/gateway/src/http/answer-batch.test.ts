import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { GatewayOptions } from '../gateway-options.ts'
import { rule } from '../fixtures/rule.ts'
import { type Answer, startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
/** Requests to a subgraph that does not answer by itself. */
const held: ServerResponse[] = []
afterEach(async () => {
  vi.useRealTimers()
  gateway.graph.users.misbehave = null
  for (const response of held.splice(0)) response.destroy()
  await gateway[Symbol.asyncDispose]()
})

const none = { requests: null, cost: null }
const unlimited = { user: none, tenant: none, anonymous: none }
const most = 4
async function start(change: Parameters<typeof startTestGateway>[0] = {}): Promise<void> {
  gateway = await startTestGateway({ batching: { most }, limits: unlimited, timeoutMs: 600_000, ...change })
}

interface Answers extends Omit<Answer, 'body'> {
  /** Of each operation, where it is answered as a batch. */
  readonly answers: readonly Answer['body'][]
  readonly body: Answer['body']
}
async function send(
  batch: readonly unknown[] | string,
  { token, ...init }: { token?: string; signal?: AbortSignal; accept?: string } = {},
): Promise<Answers> {
  const answer = await gateway.send('/graphql', {
    method: 'POST',
    ...(init.signal && { signal: init.signal }),
    headers: {
      'content-type': 'application/json',
      ...(init.accept !== undefined && { accept: init.accept }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: typeof batch === 'string' ? batch : JSON.stringify(batch),
  })
  return { ...answer, answers: Array.isArray(answer.body) ? (answer.body as Answer['body'][]) : [] }
}
const ask = (query: string) => ({ query })
const times = (count: number, query = '{ chatBackend }') => Array.from({ length: count }, () => ask(query))
const codesOf = ({ answers }: Answers) =>
  answers.map(({ errors }) => (errors?.[0]?.extensions as { code: string } | undefined)?.code ?? 'OK')
const received = () => gateway.graph.all.flatMap((each) => each.received)
const refusedAs = (code: string) => ({
  status: 400,
  body: { errors: [{ extensions: { code } }], extensions: { txn: expect.any(String) } },
})
const requests = () => gateway.authority.events.filter(({ what }) => what === 'request')

describe('without batching', () => {
  it('[P15] an array is refused, and nothing of it executed; alone it is answered', async () => {
    await start({ batching: null })
    expect(await send([ask('{ chatBackend }')])).toMatchObject(refusedAs('BAD_REQUEST'))
    expect(received()).toEqual([])
    expect((await gateway.ask('{ chatBackend }')).body.data).toEqual({ chatBackend: 'none' })
  })

  it('is how it is by default', async () => {
    gateway = await startTestGateway()
    expect(await send(times(1))).toMatchObject(refusedAs('BAD_REQUEST'))
  })
})

describe('a batch', () => {
  it('is answered in the order in which it was asked, each under a txn of its own', async () => {
    await start()
    const batch = [
      ask('{ chatBackend }'),
      { query: 'query ($id: ID!) { order(id: $id) { id } }', variables: { id: '7' } },
      ask('{ nothing }'),
      { query: 'query A { whoami } query B { chatBackend }', operationName: 'B' },
    ]
    // With nothing known of the client, and again.
    for (let count = 0; count < 2; count++) {
      const answer = await send(` \n${JSON.stringify(batch)}`, { token: await gateway.token() })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
      expect(answer.answers.map(({ data }) => data)).toEqual([
        { chatBackend: 'none' },
        { order: { id: '7' } },
        undefined,
        { chatBackend: 'none' },
      ])
      expect(codesOf(answer)).toEqual(['OK', 'OK', 'GRAPHQL_VALIDATION_FAILED', 'OK'])
      expect(new Set(answer.answers.map(({ extensions }) => extensions?.txn)).size).toBe(4)
    }
  })

  it('is of the type that its client accepts', async () => {
    await start()
    const accept = 'application/graphql-response+json'
    expect((await send(times(2), { accept })).headers.get('content-type')).toContain(accept)
  })

  it('[P15] has so many operations, and with one more none is executed', async () => {
    await start()
    const large = await send(times(most + 1))
    expect(large).toMatchObject(refusedAs('BATCH_TOO_LARGE'))
    expect(large.body.errors?.[0]?.message).toBe(`There are ${most + 1} operations in this request, at most ${most}.`)
    expect(received()).toEqual([])
    expect(requests().map(({ outcome }) => outcome)).toEqual(['BATCH_TOO_LARGE'])
    expect(codesOf(await send(times(most)))).toEqual(['OK', 'OK', 'OK', 'OK'])
  })

  it('has at least one', async () => {
    await start()
    expect(await send([])).toMatchObject(refusedAs('BAD_REQUEST'))
    expect(await send('[{"query":')).toMatchObject(refusedAs('BAD_REQUEST'))
  })

  it('says in its place what is no request', async () => {
    await start()
    expect(codesOf(await send([7, null, [ask('{ chatBackend }')], {}]))).toEqual(
      Array.from({ length: 4 }, () => 'BAD_REQUEST'),
    )
    expect(received()).toEqual([])
    const { answers } = await send([{ query: '{' }, ask('{ chatBackend }')])
    expect(answers[1]?.data).toEqual({ chatBackend: 'none' })
    for (const { extensions } of answers) expect(extensions?.txn).toEqual(expect.any(String))
  })

  it('[P6] shows of each operation what its caller may see', async () => {
    await start({ rules: { 'Query.people': rule({ authenticated: true }) } })
    const batch = [ask('{ people { id } chatBackend }'), ask('{ chatBackend }')]
    expect(codesOf(await send(batch))).toEqual(['UNAUTHENTICATED', 'OK'])
    expect(codesOf(await send(batch, { token: await gateway.token() }))).toEqual(['OK', 'OK'])
  })

  it('[P15] executes trusted documents only, where that is so', async () => {
    await start({ documents: { trusted: { backend: '{ chatBackend }' }, only: true } })
    const answer = await send([{ documentId: 'backend' }, ask('{ whoami }'), ask('{ chatBackend }')])
    expect(codesOf(answer)).toEqual(['OK', 'DOCUMENT_NOT_TRUSTED', 'OK'])
  })
})

describe('[P15] each operation of a batch', () => {
  it('is within the limits of an operation', async () => {
    await start({ limits: { ...unlimited, operation: { rootFields: 2 } } })
    expect(codesOf(await send(['{ whoami }', '{ a: whoami b: whoami c: whoami }', '{ whoami }'].map(ask)))).toEqual([
      'OK',
      'OPERATION_TOO_COMPLEX',
      'OK',
    ])
  })

  it.each([
    [6, ['OK', 'OK', 'RATE_LIMITED', 'RATE_LIMITED']],
    [8, ['OK', 'OK', 'OK', 'OK']],
  ])('counts as a request: of %i a minute', async (limit, second) => {
    await start({ limits: { ...unlimited, user: { requests: limit, cost: null } } })
    const token = await gateway.token()
    expect(codesOf(await send(times(4), { token }))).toEqual(['OK', 'OK', 'OK', 'OK'])
    expect(codesOf(await send(times(4), { token }))).toEqual(second)
    expect(received()).toHaveLength(limit)
  })

  it.each([
    [7, ['OK', 'OK', 'OK', 'RATE_LIMITED']],
    [8, ['OK', 'OK', 'OK', 'OK']],
  ])('costs what it costs alone: of %i a minute', async (cost, codes) => {
    const limits: GatewayOptions['limits'] = { ...unlimited, operation: { cost: 2 }, user: { requests: null, cost } }
    await start({ limits })
    expect(codesOf(await send(times(4, '{ viewer { id } }'), { token: await gateway.token() }))).toEqual(codes)
    expect(requests().flatMap(({ detail }) => detail['cost'] ?? [])).toEqual(codes.slice(0, cost / 2).map(() => 2))
  })
})

it('[P14] each operation of a batch is recorded by itself, with what became of it', async () => {
  await start({ rules: { 'Query.people': rule({ authenticated: true, scopes: [['people:read']] }) } })
  const token = await gateway.token({ scope: 'profile' })
  const { answers } = await send(['query One { whoami }', 'query Two { people { id } }', '{ nothing }'].map(ask), {
    token,
  })
  const txns = answers.map(({ extensions }) => extensions?.txn)
  const who = { subject: 'usr_ada', tenant: 'acme', parent: null }
  expect(requests()).toHaveLength(3)
  expect(requests()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        ...who,
        txn: txns[0],
        outcome: 'OK',
        detail: expect.objectContaining({ name: 'One' }),
      }),
      expect.objectContaining({
        ...who,
        txn: txns[1],
        outcome: 'OK',
        detail: expect.objectContaining({ name: 'Two' }),
      }),
      expect.objectContaining({ ...who, txn: txns[2], outcome: 'GRAPHQL_VALIDATION_FAILED' }),
    ]),
  )
  expect(gateway.authority.events.filter(({ what }) => what === 'field.denied').map(({ txn }) => txn)).toEqual([
    txns[1],
  ])
  // The context token says the operation's, too.
  expect(new Set(received().map(({ context }) => context.identity.txn))).toEqual(new Set([txns[0]]))
})

describe('the operations of a batch', () => {
  function hold(): void {
    gateway.graph.users.misbehave = (response) => void held.push(response)
  }
  const answer = (response: ServerResponse | undefined, data: unknown) =>
    response?.setHeader('content-type', 'application/json').end(JSON.stringify({ data }))
  async function areHeld(count: number): Promise<void> {
    await expect.poll(() => held.length, { timeout: 20_000 }).toBe(count)
  }
  const renames = ['a', 'b', 'c'].map((name) => ask(`mutation { rename(name: "${name}") { name } }`))

  it.each([
    ['[P4] mutations', renames, { rename: { name: 'x' } }],
    ['queries', times(3, '{ whoami }'), { whoami: 'x' }],
  ])('are executed one after the other: %s', async (_what, batch, data) => {
    await start()
    hold()
    const asked = send(batch, { token: await gateway.token() })
    for (let count = 1; count <= 3; count++) {
      await areHeld(count)
      // Whoever comes now is answered, and none of the others has come meanwhile.
      expect((await gateway.ask('{ chatBackend }')).status).toBe(200)
      expect(held).toHaveLength(count)
      answer(held.at(-1), data)
    }
    expect((await asked).answers.map((each) => each.data)).toEqual([data, data, data])
    // Each with a context token of its own: one that was shown twice would be refused.
    expect(gateway.graph.users.refused).toEqual([])
    const mutations = gateway.graph.users.received.filter(({ operation }) => operation === 'mutation')
    expect(mutations.map(({ query }) => /name:"(\w)"/.exec(query)?.[1])).toEqual(
      batch === renames ? ['a', 'b', 'c'] : [],
    )
  })

  it('are not begun for a client that has gone', async () => {
    await start()
    hold()
    const client = new AbortController()
    // Of these, the gateway calls back the query only.
    const batch = [ask('{ whoami }'), ...renames]
    const asked = send(batch, { signal: client.signal }).catch(() => 'gone')
    await areHeld(1)
    client.abort()
    expect(await asked).toBe('gone')
    await gateway.graph.users.received[0]?.aborted
    await gateway.ask('{ chatBackend }')
    await gateway.ask('{ chatBackend }')
    expect(held).toHaveLength(1)
    gateway.graph.users.misbehave = null
    expect(codesOf(await send(batch))).toEqual(['OK', 'OK', 'OK', 'OK'])
  })

  it.each<[string, string, () => void | Promise<unknown>]>([
    [
      '[P11] for a user who was ended meanwhile',
      'SESSION_ENDED',
      () => gateway.authority.revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' }, 'OPERATOR'),
    ],
    [
      '[P11] once nobody knows any more who was ended',
      'REVOCATIONS_UNKNOWN',
      () => void (gateway.authority.age = 120_000),
    ],
    [
      'with a token that has expired meanwhile',
      'CREDENTIAL_INVALID',
      () => void vi.setSystemTime(Date.now() + 3_600_000),
    ],
    ['', 'OK', () => undefined],
  ])('are not begun %s', async (_when, code, happens) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await start()
    hold()
    const asked = send(times(3, '{ whoami }'), { token: await gateway.token() })
    await areHeld(1)
    await happens()
    gateway.graph.users.misbehave = null
    answer(held[0], { whoami: 'x' })
    expect(codesOf(await asked)).toEqual(['OK', code, code])
    expect(gateway.graph.users.received).toHaveLength(code === 'OK' ? 3 : 1)
  })
})
