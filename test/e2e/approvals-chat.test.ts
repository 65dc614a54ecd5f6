import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSystem, type System } from '../support/system.ts'

let system: System
let admin: pg.Client
beforeAll(async () => {
  system = await startSystem()
  const password = await readFile(join(system.dataDir, 'postgres', 'behalf-password'), 'utf8')
  const url = `postgres://postgres:${password.trim()}@127.0.0.1:${system.env['POSTGRES_PORT']}/postgres`
  admin = new pg.Client({ connectionString: url })
  await admin.connect()
  for (const user of ['ada', 'ben']) await system.token(user)
}, 180_000)
afterAll(async () => {
  await admin?.end()
  await system?.stop()
})

type Body = Record<string, any> // oxlint-disable-line typescript/no-explicit-any
const fields = `{ id status message { text } error { code } toolCalls { tool arguments status errorCode result }
  pendingApprovals { id summary argumentsHash state delegation { id } } }`
async function ask(user: string, query: string, variables: Record<string, unknown> = {}): Promise<Body> {
  const { body } = await system.graphql(await system.token(user), query, variables)
  return body
}
async function say(user: string, text: string): Promise<Body> {
  const { data, errors } = await ask(
    user,
    `mutation ($input: ChatSendInput!) { chatSend(input: $input) { run ${fields} error { code } } }`,
    { input: { text, idempotencyKey: randomUUID(), waitMs: 20_000 } },
  )
  expect(errors).toBeUndefined()
  return data.chatSend.run
}
const runOf = async (user: string, id: string) =>
  (await ask(user, `query ($id: ID!) { chatRun(id: $id) ${fields} }`, { id }))['data'].chatRun as Body
const resolve = (user: string, { id, argumentsHash }: Body, decision = 'APPROVE') =>
  ask(
    user,
    `mutation ($id: ID!, $hash: String!, $decision: ApprovalDecision!) {
      resolveApproval(id: $id, argumentsHash: $hash, decision: $decision) { state } }`,
    { id, hash: argumentsHash, decision },
  )
const until = async (user: string, id: string, status: string) =>
  await expect.poll(() => runOf(user, id), { timeout: 15_000, interval: 50 }).toMatchObject({ status })
const statusOf = async (id: string) =>
  (await admin.query('select status from orders.orders where id = $1', [id])).rows[0]?.status as string
const refused = (code: string) => ({ data: { resolveApproval: null }, errors: [{ extensions: { code } }] })
const orders: string[] = []
async function order(): Promise<string> {
  if (orders.length === 0) {
    const { data } = await ask('ada', '{ viewer { orders(first: 100) { edges { node { id status } } } } }')
    for (const { node } of data.viewer.orders.edges)
      if (node.status === 'PLACED' || node.status === 'PROCESSING') orders.push(node.id)
  }
  return orders.pop() ?? ''
}

describe('[P9] a run that waits for its user', () => {
  it('does what ada approved with the hash that she was shown, once', async () => {
    const id = await order()
    const run = await say('ada', `cancel order ${id}, it was a mistake`)
    expect(run).toMatchObject({
      status: 'AWAITING_APPROVAL',
      message: { text: expect.stringContaining('waits for your approval') },
      toolCalls: [{ tool: 'cancel_order', arguments: { orderId: id }, status: 'AWAITING_APPROVAL', result: null }],
      pendingApprovals: [{ state: 'PENDING', summary: expect.stringContaining(`Cancel order "${id}"`) }],
    })
    const [approval] = run['pendingApprovals']
    expect((await resolve('ben', approval))['data']).toEqual({ resolveApproval: null })
    expect((await ask('ben', `query ($id: ID!) { chatRun(id: $id) ${fields} }`, { id: run['id'] }))['data']).toEqual({
      chatRun: null,
    })
    expect(await resolve('ada', { ...approval, argumentsHash: 'x'.repeat(43) })).toMatchObject(
      refused('APPROVAL_MISMATCH'),
    )
    expect(await statusOf(id)).not.toBe('CANCELLED')

    expect(await resolve('ada', approval)).toMatchObject({ data: { resolveApproval: { state: 'APPROVED' } } })
    await until('ada', run['id'], 'COMPLETED')
    expect(await runOf('ada', run['id'])).toMatchObject({
      toolCalls: [{ status: 'SUCCEEDED', errorCode: null }],
      pendingApprovals: [],
    })
    expect(await statusOf(id)).toBe('CANCELLED')
    expect(await resolve('ada', approval)).toMatchObject(refused('APPROVAL_ALREADY_RESOLVED'))
    const { rows } = await admin.query('select count(*)::int as n from authority.approval where run = $1', [run['id']])
    expect(rows).toEqual([{ n: 1 }])
  })

  it('tells the model of a rejection, and ends', async () => {
    const id = await order()
    const before = await statusOf(id)
    const run = await say('ada', `cancel order ${id}, it was a mistake`)
    expect(await resolve('ada', run['pendingApprovals'][0], 'REJECT')).toMatchObject({
      data: { resolveApproval: { state: 'REJECTED' } },
    })
    await until('ada', run['id'], 'COMPLETED')
    expect(await runOf('ada', run['id'])).toMatchObject({
      toolCalls: [{ status: 'REJECTED', errorCode: 'APPROVAL_REJECTED' }],
      message: { text: expect.stringContaining('rejected') },
    })
    expect(await statusOf(id)).toBe(before)
  })

  it('[P11] ends when its delegation is revoked', async () => {
    const id = await order()
    const before = await statusOf(id)
    const run = await say('ada', `cancel order ${id}, it was a mistake`)
    const [approval] = run['pendingApprovals']
    await ask('ada', 'mutation ($id: ID!) { revokeDelegation(id: $id) { id } }', { id: approval.delegation.id })
    await until('ada', run['id'], 'FAILED')
    expect(await runOf('ada', run['id'])).toMatchObject({
      error: { code: 'IDENTITY_EXPIRED' },
      toolCalls: [{ status: 'CANCELLED' }],
    })
    expect(await resolve('ada', approval)).toMatchObject(refused('DELEGATION_ENDED'))
    expect(await statusOf(id)).toBe(before)
  })

  it('can be cancelled, and a later approval does nothing', async () => {
    const id = await order()
    const before = await statusOf(id)
    const run = await say('ada', `cancel order ${id}, it was a mistake`)
    const cancelled = await ask(
      'ada',
      'mutation ($id: ID!) { chatCancelRun(runId: $id) { run { status toolCalls { status errorCode } } } }',
      { id: run['id'] },
    )
    expect(cancelled['data'].chatCancelRun.run).toEqual({
      status: 'CANCELLED',
      toolCalls: [{ status: 'CANCELLED', errorCode: null }],
    })
    await resolve('ada', run['pendingApprovals'][0])
    const { rows } = await admin.query(`select 1 from orchestrator_queue._private_jobs where key = $1`, [run['id']])
    expect(rows).toEqual([])
    expect(await statusOf(id)).toBe(before)
  })

  it('ends with a code when nobody decides in time', async () => {
    const id = await order()
    const run = await say('ada', `cancel order ${id}, it was a mistake`)
    const [approval] = run['pendingApprovals']
    await admin.query(`update authority.approval set expires_at = now() - interval '1 s' where id = $1`, [approval.id])
    await admin.query(
      `update authority.delegation set created_at = created_at - interval '1 day', expires_at = now() - interval '1 s' where id = (select delegation from authority.approval where id = $1)`,
      [approval.id],
    )
    await admin.query(
      `update orchestrator.tool_call set approval_expires_at = now() - interval '1 s' where approval_id = $1`,
      [approval.id],
    )
    expect(await resolve('ada', approval)).toMatchObject(refused('APPROVAL_EXPIRED'))
    await admin.query(`update orchestrator_queue._private_jobs set run_at = now() where key = $1`, [run['id']])
    await until('ada', run['id'], 'INCOMPLETE')
    expect(await runOf('ada', run['id'])).toMatchObject({ error: { code: 'APPROVAL_EXPIRED' }, pendingApprovals: [] })
  })
})
