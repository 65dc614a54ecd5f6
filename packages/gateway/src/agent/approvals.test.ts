import { createWorkloadSigner, deriveWorkloadKey, workloadTokenHeader } from '@behalf/identity'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { secretsIn, startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway[Symbol.asyncDispose]())
beforeEach(() => {
  for (const { received } of gateway.graph.all) received.length = 0
})

const scopes = 'profile orders:read orders:write chat'

async function post(path: string, body: string, type = 'application/json', workload = 'chat') {
  const key = deriveWorkloadKey(gateway.rootKey, workload, 1)
  const token = createWorkloadSigner({ name: workload, key, trustDomain: 'behalf' }).sign({
    method: 'POST',
    path,
    body: Buffer.from(body),
  })
  const { status, text } = await gateway.send(path, {
    internal: true,
    method: 'POST',
    body,
    headers: { 'content-type': type, [workloadTokenHeader]: token },
  })
  return { status, body: JSON.parse(text) as Record<string, unknown> }
}

/** What a person's own `@delegates` call gives the subgraph `chat`. */
async function ticketOf(claims: Record<string, unknown> = {}): Promise<string> {
  await gateway.ask('mutation { chatSend(text: "hi") }', {
    token: await gateway.token({ scope: scopes, sid: 's1', auth_time: 1763856000, ...claims }),
  })
  return gateway.graph.chat.received.at(-1)?.context.ticket ?? ''
}

async function delegationOf(): Promise<string> {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await ticketOf(),
    subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
  })
  const { body } = await post('/internal/token', form.toString(), 'application/x-www-form-urlencoded')
  return String(body['access_token'])
}

let calls = 0
const newCall = () => `call_${++calls}`
const cancel = async (delegation: string, call: string, id = 'ord_1') => {
  const body = JSON.stringify({ delegation, run: 'run_1', call, name: 'cancel_order', arguments: { id } })
  return (await post('/internal/tools/call', body)).body
}
async function asked(call = newCall()) {
  const handle = await delegationOf()
  const { approval } = (await cancel(handle, call)) as { approval: { id: string; argumentsHash: string } }
  for (const { received } of gateway.graph.all) received.length = 0
  return { handle, call, approval }
}
const kept = (id: string) => gateway.authority.approvals.kept.find((each) => each.id === id)
const words = `mutation ($id: ID!, $hash: String!, $decision: Decision! = APPROVE, $off: Boolean = false) {
  resolveApproval(id: $id, argumentsHash: $hash, decision: $decision) @skip(if: $off) rename(name: "x") { id } }`
interface Decided {
  readonly id: string
  readonly hash?: string
  readonly decision?: 'REJECT'
  readonly off?: true
}
/** What a person's own `@approves` call gives the subgraph `users`. */
async function proofOf({ id, ...given }: Decided, claims: Record<string, unknown> = {}, query = words) {
  const variables = { id, hash: kept(id)?.argumentsHash ?? 'h'.repeat(43), ...given }
  await gateway.ask(query, {
    token: await gateway.token({ scope: scopes, sid: 's1', auth_time: 1763856000, ...claims }),
    variables,
  })
  return gateway.graph.users.received.findLast(({ operation }) => operation === 'mutation')?.context.ticket ?? 'none'
}
/** As the process does that holds the proof, whatever that is of. */
const store = (id: string, sealed: string, to = 'users') =>
  gateway.authority.approvals.resolve(id, 'APPROVED', { sealed, to })
const approve = async (id: string, claims?: Record<string, unknown>) => store(id, await proofOf({ id }, claims))
const refused = (code: string) => ({ ok: false, error: { code, message: expect.any(String) } })
/** Mutations that reached the subgraph. */
const cancellations = () => gateway.graph.orders.received.filter(({ operation }) => operation === 'mutation')

describe('[P9] a call that needs approval', () => {
  it('asks for it, the same each time, and runs once the user has approved', async () => {
    const { handle, call, approval } = await asked()
    expect(approval).toEqual({
      id: expect.stringMatching(/^apr_/),
      summary: 'Run cancel_order',
      argumentsHash: expect.stringMatching(/^[\w-]{43}$/),
      expiresAt: expect.stringMatching(/Z$/),
    })
    expect(await cancel(handle, call)).toEqual({ ...refused('APPROVAL_REQUIRED'), approval })
    expect(cancellations()).toEqual([])
    await approve(approval.id)
    expect(await cancel(handle, call)).toMatchObject({ ok: true })
    expect(cancellations()).toHaveLength(1)
    expect(cancellations()[0]?.context.identity).toMatchObject({
      approval: { id: approval.id, field: 'cancelOrder' },
      actor: { agent: 'assistant', call },
    })
  })

  it('may be sent again by the same call, whose approval is used once', async () => {
    const { handle, call, approval } = await asked()
    await approve(approval.id)
    const all = await Promise.all(Array.from({ length: 50 }, () => cancel(handle, call)))
    expect(new Set(all.map((outcome) => outcome['ok']))).toEqual(new Set([true]))
    expect(kept(approval.id)?.uses).toBe(1)
    // The subgraph tells them from others by their call, under which it does it once.
    expect(new Set(cancellations().map(({ context }) => context.identity.actor?.call))).toEqual(new Set([call]))
    expect(await cancel(handle, newCall())).toMatchObject(refused('APPROVAL_REQUIRED'))
  })

  it('is refused with other arguments than were approved', async () => {
    const { handle, call, approval } = await asked()
    await approve(approval.id)
    expect(await cancel(handle, call, 'ord_2')).toEqual(refused('APPROVAL_MISMATCH'))
    expect(cancellations()).toEqual([])
    expect(await cancel(handle, call)).toMatchObject({ ok: true })
  })

  it.each(['REJECTED', 'EXPIRED'] as const)('is refused once it was %s', async (state) => {
    const { handle, call, approval } = await asked()
    gateway.authority.approvals.resolve(approval.id, state)
    expect(await cancel(handle, call)).toEqual(refused(`APPROVAL_${state}`))
    expect(cancellations()).toEqual([])
  })

  it('[P11] is refused once its delegation was ended', async () => {
    const { handle, call, approval } = await asked()
    await approve(approval.id)
    const delegation = gateway.authority.delegations.get(handle)
    if (delegation) delegation.revoked = true
    expect(await cancel(handle, call)).toMatchObject({ error: { code: 'DELEGATION_REFUSED' } })
    expect(cancellations()).toEqual([])
  })
})

describe('[P9] that it was the user who approved', () => {
  const twice = (first: string, second: string) => `mutation ($id: ID!, $hash: String!) {
    first: resolveApproval(id: $id, argumentsHash: $hash, decision: ${first})
    ...M } fragment M on Mutation { second: resolveApproval(id: $id, argumentsHash: $hash, decision: ${second}) }`
  const forged: Record<string, (id: string) => Promise<string>> = {
    'no ticket': async () => 'sealed',
    'one that starts an agent': () => ticketOf(),
    "somebody else's": (id) => proofOf({ id }, { sub: 'ben' }),
    'one with which they approved something else': async (id) => {
      const other = (await asked()).approval.id
      return proofOf({ id: other, hash: kept(id)?.argumentsHash ?? '' })
    },
    'one with which they approved another hash': (id) => proofOf({ id, hash: 'h'.repeat(43) }),
    'one with which they rejected it': (id) => proofOf({ id, decision: 'REJECT' }),
    'one of a field that was skipped': (id) => proofOf({ id, off: true }),
    'one of both': (id) => proofOf({ id }, {}, twice('APPROVE', 'REJECT')),
  }
  it.each(Object.keys(forged))('is not believed by %s', async (what) => {
    const { handle, call, approval } = await asked()
    store(approval.id, (await forged[what]?.(approval.id)) ?? '')
    expect(await cancel(handle, call)).toMatchObject({ error: { code: 'TICKET_REFUSED' } })
    expect(kept(approval.id)?.uses).toBe(0)
    expect(cancellations()).toEqual([])
    await approve(approval.id)
    expect(await cancel(handle, call)).toMatchObject({ ok: true })
  })

  it('is believed of the subgraph that it was made for', async () => {
    const { handle, call, approval } = await asked()
    store(approval.id, await proofOf(approval), 'orders')
    expect(await cancel(handle, call)).toMatchObject({ error: { code: 'TICKET_REFUSED' } })
    await approve(approval.id)
    expect(await cancel(handle, call)).toMatchObject({ ok: true })
  })

  it('is believed of several that are approved in one request, as many as fit into a token', async () => {
    const all = [await asked(), await asked()]
    const wordsFor = (ids: readonly string[]) => {
      const fields = ids.map(
        (id, index) => `r${index}: resolveApproval(id: "${id}", argumentsHash: "${kept(id)?.argumentsHash}")`,
      )
      return `mutation { ${fields.join(' ')} }`
    }
    const ids = all.map(({ approval }) => approval.id)
    const sealed = await proofOf({ id: ids[0] ?? '' }, {}, wordsFor(ids))
    for (const { handle, call, approval } of all) {
      store(approval.id, sealed)
      expect(await cancel(handle, call)).toMatchObject({ ok: true })
    }
    const token = await gateway.token({ scope: scopes })
    const id = ids[0] ?? ''
    expect((await gateway.ask(wordsFor([id, id, id, id]), { token })).body.errors).toBeUndefined()
    expect((await gateway.ask(wordsFor([id, id, id, id, id]), { token })).body.errors?.[0]).toMatchObject({
      extensions: { code: 'BAD_REQUEST' },
    })
  })

  it('starts no agent: nobody makes a delegation of it, and who is given it is no workload', async () => {
    const { approval } = await asked()
    const exchange = (ticket: string) =>
      new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: ticket,
        subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
      }).toString()
    const redeem = (ticket: string, workload: string) =>
      post('/internal/token', exchange(ticket), 'application/x-www-form-urlencoded', workload)
    const sealed = await proofOf(approval)
    expect(await redeem(sealed, 'users')).toMatchObject({ body: { error: { code: 'WORKLOAD_REFUSED' } } })
    expect(await redeem(sealed, 'chat')).toMatchObject({ body: { error: { code: 'TICKET_REFUSED' } } })
    expect(await redeem(await ticketOf(), 'chat')).toMatchObject({ status: 200 })
  })

  it('[P11] renews the delegation, with the rights of that moment', async () => {
    const { handle, call, approval } = await asked()
    const before = gateway.authority.delegations.get(handle)
    await approve(approval.id, { scope: 'orders:read orders:write', sid: 's2' })
    expect(await cancel(handle, call)).toMatchObject({ ok: true })
    const after = gateway.authority.delegations.get(handle)
    expect(after).toMatchObject({ id: before?.id, session: 's2', scopes: ['orders:read', 'orders:write'] })
  })
})

describe('[P9] what was resolved', () => {
  const resolved = async (after: number, workload = 'chat') =>
    post('/internal/approvals/resolved', JSON.stringify({ after }), 'application/json', workload)
  const last = async () => {
    const { id } = (await asked()).approval
    gateway.authority.approvals.resolve(id, 'REJECTED')
    const { body } = await resolved(0)
    return (body['resolutions'] as { sequence: number }[]).at(-1)?.sequence ?? 0
  }

  it('is told to whoever waits for it', async () => {
    const after = await last()
    const { call, approval } = await asked()
    const waiting = resolved(after)
    gateway.authority.approvals.resolve(approval.id, 'REJECTED')
    expect(await waiting).toEqual({
      status: 200,
      body: { resolutions: [{ sequence: after + 1, approval: approval.id, run: 'run_1', call, state: 'REJECTED' }] },
    })
  })

  it('is told to workloads that run agents only', async () => {
    expect(await resolved(0, 'orders')).toMatchObject({ status: 401, body: { error: { code: 'WORKLOAD_REFUSED' } } })
    for (const body of ['{}', '{"after":-1}', '{"after":"1"}', '{"after":0.5}'])
      expect(await post('/internal/approvals/resolved', body)).toMatchObject({ status: 400 })
  })

  it('keeps no gateway from closing', async () => {
    await using other = await startTestGateway()
    const path = '/internal/approvals/resolved'
    const body = '{"after":0}'
    const key = deriveWorkloadKey(other.rootKey, 'chat', 1)
    const signer = createWorkloadSigner({ name: 'chat', key, trustDomain: 'behalf' })
    const waiting = other.send(path, {
      internal: true,
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        [workloadTokenHeader]: signer.sign({ method: 'POST', path, body: Buffer.from(body) }),
      },
    })
    await expect.poll(() => other.authority.approvals.waiting).toBe(1)
    await other.close()
    expect((await waiting).text).toBe('{"resolutions":[]}')
  })
})

it('the log of all of it holds no secret', () => {
  const secrets = [...gateway.secrets, ...gateway.graph.all.flatMap((subgraph) => [...subgraph.secrets])]
  expect(secretsIn(gateway.logs, secrets)).toEqual([])
})
