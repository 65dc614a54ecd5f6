import { randomBytes } from 'node:crypto'
import { createWorkloadSigner, deriveWorkloadKey, workloadTokenHeader } from '@behalf/identity'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ReceivedRequest } from '../fixtures/test-subgraph.ts'
import { secretsIn, startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
const workloadTokens = new Set<string>()

beforeAll(async () => {
  gateway = await startTestGateway({
    agentScopes: ({ facts: { roles } }, scope) => !([roles].flat().includes('support') && scope === 'orders:read'),
  })
  gateway.authority.people.set('sam', { subject: 'usr_sam', tenant: 'acme', facts: { roles: ['support'] } })
})
afterAll(() => gateway[Symbol.asyncDispose]())
beforeEach(() => {
  gateway.authority.down = false
  for (const { received } of gateway.graph.all) received.length = 0
})

const scopes = 'profile orders:read orders:write chat'
const signerOf = (
  name: string,
  options: { rootKey?: string; epoch?: number; trustDomain?: string; as?: string } = {},
) =>
  createWorkloadSigner({
    name: options.as ?? name,
    key: deriveWorkloadKey(options.rootKey ?? gateway.rootKey, name, options.epoch ?? 1),
    trustDomain: options.trustDomain ?? 'behalf',
  })
const json = 'application/json'
const form = 'application/x-www-form-urlencoded'

/** One request of the workload that runs the assistant, unless changed. */
async function post(
  path: string,
  body: string,
  { type = json, token, headers = {} }: { type?: string; token?: string | null; headers?: Record<string, string> } = {},
) {
  const proof = token === undefined ? signerOf('chat').sign({ method: 'POST', path, body: Buffer.from(body) }) : token
  if (proof !== null) workloadTokens.add(proof)
  return gateway
    .send(path, {
      internal: true,
      method: 'POST',
      body,
      headers: { 'content-type': type, ...(proof !== null && { [workloadTokenHeader]: proof }), ...headers },
    })
    .then(({ status, text, headers: sent }) => ({
      status,
      headers: sent,
      body: JSON.parse(text) as Record<string, unknown>,
    }))
}
const postJson = (path: string, body: unknown, options?: Parameters<typeof post>[2]) =>
  post(path, JSON.stringify(body), options)
const exchange = (ticket: string, change: Record<string, string> = {}) =>
  new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: ticket,
    subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
    ...change,
  }).toString()
const redeem = (ticket: string) => post('/internal/token', exchange(ticket), { type: form })
const failed = (code: string, status: number) => ({ status, body: { error: { code, message: expect.any(String) } } })

/** What a `@delegates` call gave the subgraph. */
async function ticketOf(claims: Record<string, unknown> = {}) {
  const { body } = await gateway.ask('mutation { chatSend(text: "hi") }', {
    token: await gateway.token({ scope: scopes, sid: 's1', auth_time: 1763856000, ...claims }),
  })
  return { ticket: gateway.graph.chat.received.at(-1)?.context.ticket ?? '', txn: body.extensions?.txn }
}
async function delegationOf(claims?: Record<string, unknown>) {
  const { ticket, txn } = await ticketOf(claims)
  const { body } = await redeem(ticket)
  const handle = String(body['access_token'])
  gateway.secrets.add(handle)
  return { handle, id: String(body['delegation']), txn }
}
const call = (delegation: string, change: Record<string, unknown> = {}) =>
  postJson('/internal/tools/call', {
    delegation,
    run: 'run_1',
    call: 'call_1',
    name: 'list_orders',
    arguments: {},
    ...change,
  })

describe('[P8] scopes that agents may not have', () => {
  it('are withheld by the roles of whoever granted them, and from nobody else', async () => {
    const toldOf = async (claims: Record<string, unknown>) => {
      const { handle } = await delegationOf(claims)
      expect(await call(handle)).toMatchObject({ status: 200 })
      return gateway.graph.orders.received.at(-1)?.context.identity
    }
    expect(await toldOf({ sub: 'sam' })).toMatchObject({ subject: 'usr_sam', scopes: [] })
    expect(await toldOf({})).toMatchObject({ subject: 'usr_ada', scopes: ['orders:read'] })
  })
})

describe('a workload token', () => {
  it('is asked for everything, and is of a workload that runs agents, for this request, once', async () => {
    const { handle } = await delegationOf()
    const path = '/internal/tools/list'
    const body = JSON.stringify({ delegation: handle, run: 'run_1' })
    const request = { method: 'POST', path, body: Buffer.from(body) }
    const good = signerOf('chat').sign(request)
    expect(await post(path, body, { token: good })).toMatchObject({ status: 200 })
    const refused: Record<string, string | null> = {
      missing: null,
      replayed: good,
      'of a subgraph that runs no agent': signerOf('orders').sign(request),
      'of another name': signerOf('chat', { as: 'orders' }).sign(request),
      "signed with another gateway's key": signerOf('chat', { rootKey: randomBytes(32).toString('base64url') }).sign(
        request,
      ),
      'of another trust domain': signerOf('chat', { trustDomain: 'other' }).sign(request),
      'of an epoch to come': signerOf('chat', { epoch: 2 }).sign(request),
      'for another path': signerOf('chat').sign({ ...request, path: '/internal/tools/call' }),
      'for another method': signerOf('chat').sign({ ...request, method: 'GET' }),
      'for another body': signerOf('chat').sign({ ...request, body: Buffer.from(`${body} `) }),
      'twice in a header': `${signerOf('chat').sign(request)}, ${signerOf('chat').sign(request)}`,
      'an access token': await gateway.token(),
      'a context token': gateway.graph.chat.received[0]?.token ?? '',
    }
    for (const [name, token] of Object.entries(refused)) {
      expect({ name, ...(await post(path, body, { token })) }).toMatchObject({
        name,
        ...failed('WORKLOAD_REFUSED', 401),
      })
    }
    const ofPreviousEpoch = signerOf('chat', { epoch: 0 }).sign(request)
    expect(await post(path, body, { token: ofPreviousEpoch })).toMatchObject({ status: 200 })
    expect(await post(`${path}?a=b`, body, { token: signerOf('chat').sign(request) })).toMatchObject(
      failed('WORKLOAD_REFUSED', 401),
    )
  })

  it('is no credential on the public port, and an access token none on the internal one', async () => {
    const { handle } = await delegationOf()
    const body = JSON.stringify({ delegation: handle, run: 'run_1' })
    const token = signerOf('chat').sign({ method: 'POST', path: '/internal/tools/list', body: Buffer.from(body) })
    const onPublic = await gateway.send('/internal/tools/list', {
      method: 'POST',
      body,
      headers: { 'content-type': json, [workloadTokenHeader]: token },
    })
    expect(onPublic.status).toBe(404)
    const onInternal = await gateway.send('/graphql', {
      internal: true,
      method: 'POST',
      body: '{"query":"{viewer{id}}"}',
      headers: { 'content-type': json },
    })
    expect(onInternal.status).toBe(404)
    expect(
      await post('/internal/tools/list', body, {
        token: null,
        headers: { authorization: `Bearer ${await gateway.token()}` },
      }),
    ).toMatchObject(failed('WORKLOAD_REFUSED', 401))
  })

  it('is not told bad while its first use cannot be told', async () => {
    const { handle } = await delegationOf()
    gateway.authority.down = true
    expect(await call(handle)).toMatchObject(failed('UNAVAILABLE', 503))
    gateway.authority.down = false
    expect(await call(handle)).toMatchObject({ status: 200 })
  })

  it('admits nothing when the store fails, and a fault of ours is no reason to try again', async () => {
    const { handle } = await delegationOf()
    const { consume } = gateway.authority
    gateway.authority.consume = () => Promise.reject(new TypeError('a fault of ours'))
    expect(await call(handle)).toMatchObject(failed('INTERNAL', 500))
    gateway.authority.consume = consume
    expect(gateway.graph.orders.received).toEqual([])
    expect(await call(handle)).toMatchObject({ status: 200 })
    expect(gateway.graph.orders.received).toHaveLength(1)
  })
})

describe('a ticket', () => {
  it("is traded once for a delegation of the caller's own rights", async () => {
    const { ticket, txn } = await ticketOf()
    const first = await redeem(ticket)
    expect(first).toMatchObject({
      status: 200,
      body: {
        issued_token_type: 'urn:behalf:params:oauth:token-type:delegation',
        token_type: 'N_A',
        delegation: expect.stringMatching(/^dlg_/),
      },
    })
    expect(first.body['expires_in']).toBeGreaterThan(890)
    expect(first.body['expires_in']).toBeLessThanOrEqual(900)
    expect(first.headers.get('cache-control')).toBe('no-store')
    const handle = String(first.body['access_token'])
    gateway.secrets.add(handle)
    expect(gateway.authority.delegations.get(handle)).toMatchObject({
      subject: 'usr_ada',
      tenant: 'acme',
      scopes: scopes.split(' '),
      agent: 'assistant',
      client: 'cli',
      session: 's1',
      authTime: 1763856000,
      parent: txn,
    })
    expect(await redeem(ticket)).toMatchObject(failed('TICKET_REFUSED', 400))
  })

  it('is not on record as refused by a fault of ours', async () => {
    const { ticket } = await ticketOf()
    const { redeemTicket, events } = gateway.authority
    gateway.authority.redeemTicket = () => Promise.reject(new TypeError('a fault of ours'))
    const before = events.length
    expect(await redeem(ticket)).toMatchObject(failed('INTERNAL', 500))
    expect(events.slice(before)).toEqual([])
    gateway.authority.redeemTicket = redeemTicket
    expect(await redeem(ticket)).toMatchObject({ status: 200 })
  })

  it('is asked for as RFC 8693 says', async () => {
    const { ticket } = await ticketOf()
    for (const body of [
      exchange(ticket, { grant_type: 'authorization_code' }),
      exchange(ticket, { subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' }),
      `${exchange(ticket)}&subject_token=other`,
      `subject_token=${ticket}`,
      '',
    ]) {
      expect(await post('/internal/token', body, { type: form })).toMatchObject(failed('BAD_REQUEST', 400))
    }
    expect(await post('/internal/token', JSON.stringify({ subject_token: ticket }))).toMatchObject(
      failed('BAD_REQUEST', 400),
    )
    expect(await redeem('garbage')).toMatchObject(failed('TICKET_REFUSED', 400))
    expect(await redeem(await gateway.token())).toMatchObject(failed('TICKET_REFUSED', 400))
    expect(await redeem(ticket)).toMatchObject({ status: 200 })
  })
})

describe('a delegation', () => {
  it("is refused when unknown, revoked, or another agent's", async () => {
    const { handle } = await delegationOf()
    expect(await call(handle)).toMatchObject({ status: 200 })
    const delegation = gateway.authority.delegations.get(handle)!
    gateway.authority.delegations.set('of-another-agent', { ...delegation, agent: 'other' })
    for (const unusable of ['unknown', 'of-another-agent', delegation.id, '']) {
      expect(await call(unusable)).toMatchObject(failed('DELEGATION_REFUSED', 403))
      expect(await postJson('/internal/tools/list', { delegation: unusable, run: 'run_1' })).toMatchObject(
        failed('DELEGATION_REFUSED', 403),
      )
    }
    delegation.revoked = true
    expect(await call(handle)).toMatchObject(failed('DELEGATION_REFUSED', 403))
  })

  it("offers what the user's rights cover, as a model may see it", async () => {
    const { handle } = await delegationOf({ scope: 'orders:read' })
    expect(await postJson('/internal/tools/list', { delegation: handle, run: 'run_1' })).toMatchObject({
      status: 200,
      body: {
        tools: [
          {
            name: 'list_orders',
            title: 'list_orders',
            description: 'Runs list_orders.',
            inputSchema: { type: 'object' },
            readOnly: true,
            requiresApproval: false,
            examples: [],
          },
        ],
      },
    })
    const { handle: more } = await delegationOf()
    const { body } = await postJson('/internal/tools/list', { delegation: more, run: 'run_1' })
    expect(body['tools']).toMatchObject([
      { name: 'cancel_order', readOnly: false, requiresApproval: true },
      { name: 'list_orders' },
      { name: 'send_chat' },
      { name: 'start_chat' },
    ])
    expect(JSON.stringify(body)).not.toMatch(/operation|version|outputSchema|bindings|mutation/)
  })

  it('runs a tool as the user with the agent named, and with no more than the tool needs', async () => {
    const { handle, id, txn } = await delegationOf()
    const outcome = await call(handle)
    expect(outcome).toMatchObject({
      status: 200,
      body: { ok: true, result: { viewer: { orders: [{ id: 'ord_usr_ada' }] } }, truncated: false },
    })
    const told: ReceivedRequest[] = [...gateway.graph.users.received, ...gateway.graph.orders.received]
    expect(told.map(({ context: { identity } }) => identity.scopes)).toEqual([[], ['orders:read']])
    for (const {
      context: { identity },
    } of told) {
      expect(identity).toMatchObject({ subject: 'usr_ada', tenant: 'acme', client: 'cli', authTime: 1763856000 })
      expect(identity.actor).toEqual({
        agent: 'assistant',
        delegation: id,
        run: 'run_1',
        tool: 'list_orders',
        call: 'call_1',
        parent: txn,
      })
      expect(identity.txn).not.toBe(txn)
    }
    expect(new Set(told.map(({ context }) => context.identity.txn)).size).toBe(1)
    expect(told[1]?.context.identity.facts).toEqual({ tier: 'premium' })

    // The same facts reach the same subgraph when the user asks.
    await gateway.ask('{ viewer { points } }', { token: await gateway.token() })
    expect(gateway.graph.orders.received.at(-1)?.context.identity.facts).toMatchObject({
      roles: ['customer'],
      groups: ['early'],
    })
  })

  it('starts no further agent', async () => {
    const { handle } = await delegationOf()
    expect(await call(handle, { name: 'start_chat' })).toMatchObject({ status: 200, body: { ok: true } })
    expect(gateway.graph.chat.received.at(-1)?.context).toMatchObject({
      ticket: null,
      identity: { actor: { agent: 'assistant', tool: 'start_chat' } },
    })
  })

  it('does nothing that is denied to agents or needs approval, and asks no subgraph for it', async () => {
    const { handle } = await delegationOf()
    for (const { received } of gateway.graph.all) received.length = 0
    expect(await call(handle, { name: 'cancel_order', arguments: { id: '1' } })).toMatchObject({
      body: { ok: false, error: { code: 'APPROVAL_REQUIRED' } },
    })
    expect(await call(handle, { name: 'send_chat' })).toMatchObject({
      body: { ok: false, error: { code: 'AGENT_DENIED' } },
    })
    expect(gateway.graph.all.flatMap(({ received }) => received)).toEqual([])
    expect(await call(handle, { name: 'start_chat' })).toMatchObject({ body: { ok: true } })
    expect(gateway.graph.chat.received).toHaveLength(1)
  })

  it('tells an agent a code where the tool fails', async () => {
    const { handle } = await delegationOf()
    gateway.graph.orders.misbehave = (response) =>
      response.end(JSON.stringify({ errors: [{ message: 'x', extensions: { code: 'OUTCOME_UNKNOWN', secret: 'x' } }] }))
    expect(await call(handle)).toMatchObject({ body: { ok: false, error: { code: 'OUTCOME_UNKNOWN' } } })
    gateway.graph.orders.misbehave = null
    expect(await call(handle, { name: 'no_such_tool' })).toMatchObject({
      body: { ok: false, error: { code: 'TOOL_UNKNOWN' } },
    })
  })
})

describe('[P11] a delegation that is watched', () => {
  const watch = (delegation: string) => postJson('/internal/delegations/watch', { delegation, run: 'run_1' })

  it('is told to have ended at once, and of no other', async () => {
    const [ended, kept] = [await delegationOf(), await delegationOf()]
    const told: string[] = []
    const watching = watch(ended.handle).then((answer) => {
      told.push('ended')
      return answer
    })
    void watch(kept.handle).then(
      () => told.push('kept'),
      () => undefined,
    )
    // Both are there once a later request of the same kind is answered.
    expect(await watch('x'.repeat(43))).toMatchObject(failed('DELEGATION_REFUSED', 403))
    await gateway.authority.revoke({ kind: 'delegation', delegation: ended.id }, 'USER')
    expect(await watching).toMatchObject(failed('SESSION_ENDED', 401))
    expect(told).toEqual(['ended'])
    expect(await watch(ended.handle)).toMatchObject({
      body: { error: { code: expect.stringMatching(/REFUSED|ENDED/) } },
    })
  })
})

describe('a body', () => {
  it('is of its form or refused', async () => {
    const { handle } = await delegationOf()
    for (const body of ['', '{', '[]', 'null', '{}', JSON.stringify({ delegation: handle })]) {
      expect(await post('/internal/tools/list', body)).toMatchObject(failed('BAD_REQUEST', 400))
    }
    for (const change of [
      { run: '' },
      { run: 'a b' },
      { run: 7 },
      { call: 'x'.repeat(65) },
      { call: 'ä' },
      { name: 7 },
      { name: 'x'.repeat(129) },
      { delegation: null },
    ]) {
      expect(await call(handle, change)).toMatchObject(failed('BAD_REQUEST', 400))
    }
    expect(await post('/internal/tools/list', '{}', { type: 'text/plain' })).toMatchObject(
      failed('UNSUPPORTED_MEDIA_TYPE', 415),
    )
    expect(await post('/internal/tools/list', `"${'x'.repeat(300_000)}"`)).toMatchObject(
      failed('PAYLOAD_TOO_LARGE', 413),
    )
    expect(await postJson('/internal/nothing', {})).toMatchObject(failed('NOT_FOUND', 404))
    const path = '/internal/tools/list'
    const token = signerOf('chat').sign({ method: 'POST', path, body: Buffer.alloc(0) })
    const bare = await gateway.send(path, { internal: true, method: 'POST', headers: { [workloadTokenHeader]: token } })
    expect(bare.status).toBe(400)
  })

  it('that is broken is not quoted in the log', async () => {
    const { handle } = await delegationOf()
    expect(await post('/internal/tools/list', `x${handle}","run`)).toMatchObject(failed('BAD_REQUEST', 400))
    expect(gateway.logs.join('')).not.toContain(handle.slice(0, 6))
  })
})

it('the log of all of it holds no secret', () => {
  const secrets = [
    ...gateway.secrets,
    ...workloadTokens,
    ...gateway.graph.all.flatMap((subgraph) => [...subgraph.secrets]),
  ]
  expect(secretsIn(gateway.logs, secrets)).toEqual([])
})
