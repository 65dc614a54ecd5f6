import { createWorkloadSigner, deriveWorkloadKey, workloadTokenHeader } from '@behalf/identity'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePorts } from '../support/free-ports.ts'
import { type RecordingProxy, recordingProxy } from '../support/recording-proxy.ts'
import { startSystem, type System } from '../support/system.ts'

const names = ['identity', 'orders', 'balance', 'orchestrator'] as const
let system: System
/** Stands before the orchestrator, whose tickets we take: from here on we are it, with its key and other intentions. */
let proxy: RecordingProxy

beforeAll(async () => {
  const ports = await freePorts(names.length)
  proxy = await recordingProxy(`http://127.0.0.1:${ports[3]}`)
  const direct = names.slice(0, 3).map((name, index) => `${name}=http://127.0.0.1:${ports[index]}/graphql`)
  system = await startSystem({
    env: {
      ...Object.fromEntries(names.map((name, index) => [`${name.toUpperCase()}_PORT`, String(ports[index])])),
      SUBGRAPHS: [...direct, `orchestrator=${proxy.url}/graphql`].join(','),
    },
  })
  await Promise.all(['ada', 'ben', 'chloe'].map((user) => system.token(user)))
}, 180_000)
afterAll(async () => {
  await system.stop()
  await proxy[Symbol.asyncDispose]()
})

type Body = Record<string, any> // oxlint-disable-line typescript/no-explicit-any
async function post(path: string, body: string, type = 'application/json'): Promise<Body> {
  const key = deriveWorkloadKey(system.rootKey, 'orchestrator', 1)
  const signer = createWorkloadSigner({ name: 'orchestrator', key, trustDomain: 'behalf' })
  const bytes = new TextEncoder().encode(body)
  const token = signer.sign({ method: 'POST', path, body: bytes })
  const headers = { 'content-type': type, [workloadTokenHeader]: token }
  const response = await fetch(new URL(path, system.urls.internal), { method: 'POST', headers, body: bytes })
  return (await response.json()) as Body
}

/** A delegation of a user, of a ticket that the orchestrator did not use: the text went nowhere. */
async function delegationOf(user: string): Promise<{ handle: string; id: string }> {
  const input = { text: 'hello', conversationId: 'conv_of_nobody', idempotencyKey: 'x' }
  await ask(user, 'mutation ($input: ChatSendInput!) { chatSend(input: $input) { run { id } } }', { input })
  const { hop } = decodeJwt<{ hop: { ticket: string } }>(proxy.header(proxy.exchanges.at(-1)!, 'txn-token')!)
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: hop.ticket,
    subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
  })
  const redeemed = await post('/internal/token', form.toString(), 'application/x-www-form-urlencoded')
  return { handle: redeemed['access_token'], id: redeemed['delegation'] }
}
async function ask(user: string, query: string, variables: object = {}) {
  const { body } = await system.graphql(await system.token(user), query, { ...variables })
  return body
}
const call = (delegation: string, id: string, name: string, given: object) =>
  post('/internal/tools/call', JSON.stringify({ delegation, run: 'run_1', call: id, name, arguments: given }))
const resolve = (user: string, { id, argumentsHash }: Body, decision = 'APPROVE') =>
  ask(
    user,
    `mutation ($id: ID!, $hash: String!, $decision: ApprovalDecision!) {
      resolveApproval(id: $id, argumentsHash: $hash, decision: $decision) { id state } }`,
    { id, hash: argumentsHash, decision },
  )
const refused = (code: string) => ({ ok: false, error: { code } })
const withCode = (code: string) => ({ data: { resolveApproval: null }, errors: [{ extensions: { code } }] })
const statusOf = async (id: string) =>
  (await ask('ada', 'query ($id: ID!) { order(id: $id) { status } }', { id })).data?.['order'].status as string
async function cancellable(): Promise<string[]> {
  const { data } = await ask('ada', '{ viewer { orders(first: 100) { edges { node { id status } } } } }')
  const nodes = data?.['viewer'].orders.edges.map(({ node }: Body) => node) as { id: string; status: string }[]
  return nodes.filter(({ status }) => status === 'PLACED' || status === 'PROCESSING').map(({ id }) => id)
}

describe('[P9] an orchestrator with other intentions', { timeout: 60_000 }, () => {
  it('runs what its user approved: that call, with these arguments, once', async () => {
    const { handle } = await delegationOf('ada')
    const { tools } = await post('/internal/tools/list', JSON.stringify({ delegation: handle, run: 'run_1' }))
    expect(tools).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'cancel_order', requiresApproval: true, readOnly: false }),
        expect.objectContaining({ name: 'transfer', requiresApproval: true }),
        expect.objectContaining({ name: 'get_balance', requiresApproval: false }),
      ]),
    )
    const [orderId = '', other = ''] = await cancellable()
    const given = { orderId, reason: 'a mistake' }
    const before = await statusOf(orderId)
    const first = await call(handle, 'call_cancel', 'cancel_order', given)
    expect(first).toMatchObject(refused('APPROVAL_REQUIRED'))
    const { approval } = first
    expect(approval.summary).toBe(`Cancel order "${orderId}". Reason: "a mistake"`)
    expect(await call(handle, 'call_cancel', 'cancel_order', given)).toEqual(first)

    // Who may not decide, and what it may not be decided with.
    expect((await resolve('ben', approval)).data).toEqual({ resolveApproval: null })
    expect(await resolve('ada', { ...approval, argumentsHash: 'x'.repeat(43) })).toMatchObject(
      withCode('APPROVAL_MISMATCH'),
    )
    expect(await statusOf(orderId)).toBe(before)
    const waiting = post('/internal/approvals/resolved', '{"after":0}')
    expect((await resolve('ada', approval)).data).toEqual({ resolveApproval: { id: approval.id, state: 'APPROVED' } })
    expect((await waiting)['resolutions']).toEqual([
      expect.objectContaining({ approval: approval.id, run: 'run_1', call: 'call_cancel', state: 'APPROVED' }),
    ])
    expect(await resolve('ada', approval, 'REJECT')).toMatchObject(withCode('APPROVAL_ALREADY_RESOLVED'))

    // What it was not given for.
    expect(await call(handle, 'call_cancel', 'cancel_order', { orderId: other })).toMatchObject(
      refused('APPROVAL_MISMATCH'),
    )
    expect(await call(handle, 'call_other', 'cancel_order', given)).toMatchObject(refused('APPROVAL_REQUIRED'))
    const { handle: another } = await delegationOf('ada')
    expect(await call(another, 'call_cancel', 'cancel_order', given)).toMatchObject(refused('APPROVAL_REQUIRED'))
    expect(await statusOf(orderId)).toBe(before)

    const done = await call(handle, 'call_cancel', 'cancel_order', given)
    expect(done).toMatchObject({ ok: true, result: { cancelOrder: { id: orderId, status: 'CANCELLED' } } })
    expect(await statusOf(orderId)).toBe('CANCELLED')
    // A repeat is answered as the first was, and not that it was cancelled before.
    expect(await call(handle, 'call_cancel', 'cancel_order', given)).toEqual(done)
    expect(await statusOf(other)).not.toBe('CANCELLED')
    expect((await ask('ada', 'query ($id: ID!) { approval(id: $id) { state } }', approval)).data).toEqual({
      approval: { state: 'USED' },
    })
  })

  it('[P13] moves money once, of 50 that send the same call', async () => {
    const { handle } = await delegationOf('ada')
    const { data } = await ask('ada', '{ viewer { balance { amount } payees { id name } } }')
    const amount = data?.['viewer'].balance.amount as string
    const payeeId = data?.['viewer'].payees[0].id as string
    const given = { payeeId, amount: '10.00' }
    const { approval } = await call(handle, 'call_transfer', 'transfer', given)
    expect(approval.summary).toBe(`Transfer "10.00" to your payee "${payeeId}"`)
    expect((await resolve('ada', approval)).errors).toBeUndefined()
    const all = await Promise.all(Array.from({ length: 50 }, () => call(handle, 'call_transfer', 'transfer', given)))
    expect(new Set(all.filter(({ ok }) => ok).map(({ result }) => result.transfer.id)).size).toBe(1)
    // What is more than a user's agent may ask in a minute is refused, and changes nothing.
    for (const { ok, error } of all) expect(ok || error.code === 'RATE_LIMITED').toBe(true)
    const after = (await ask('ada', '{ viewer { balance { amount } } }')).data?.['viewer'].balance.amount
    expect(Number(amount) - Number(after)).toBeCloseTo(10, 2)
  })

  it('[P11] does nothing that was rejected, or whose delegation was ended', async () => {
    const { handle, id } = await delegationOf('chloe')
    const order = { orderId: 'ord_0000' }
    const rejected = await call(handle, 'call_rejected', 'cancel_order', order)
    expect((await resolve('chloe', rejected['approval'], 'REJECT')).data).toMatchObject({
      resolveApproval: { state: 'REJECTED' },
    })
    expect(await call(handle, 'call_rejected', 'cancel_order', order)).toMatchObject(refused('APPROVAL_REJECTED'))

    const pending = await call(handle, 'call_pending', 'cancel_order', order)
    const approved = await call(handle, 'call_approved', 'cancel_order', order)
    expect((await resolve('chloe', approved['approval'])).errors).toBeUndefined()
    await ask('chloe', 'mutation ($id: ID!) { revokeDelegation(id: $id) { id } }', { id })
    expect(await resolve('chloe', pending['approval'])).toMatchObject(withCode('DELEGATION_ENDED'))
    for (const name of ['call_pending', 'call_approved'])
      expect(await call(handle, name, 'cancel_order', order)).toMatchObject({ error: { code: 'DELEGATION_REFUSED' } })
    const { resolutions } = await post('/internal/approvals/resolved', '{"after":0}')
    const states = new Map((resolutions as Body[]).map(({ call: of, state }) => [of, state]))
    expect(states.get('call_pending')).toBe('EXPIRED')
    expect(states.get('call_approved')).toBe('EXPIRED')
  })
})
