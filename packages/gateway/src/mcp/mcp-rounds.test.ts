import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTicketSealer, type Round } from '../agent/ticket.ts'
import { type McpGateway, type McpRequest, startMcpGateway } from '../fixtures/mcp-gateway.ts'

let gateway: McpGateway
beforeAll(async () => {
  gateway = await startMcpGateway({ approvalsUrl: 'https://console.example/decide?tab=agents' })
})
beforeEach(() => {
  gateway.graph.orders.received.length = 0
  gateway.authority.events.length = 0
})
afterAll(() => gateway[Symbol.asyncDispose]())

const canVisit = { capabilities: { elicitation: { url: {} } } }
const accepted = { approval: { action: 'accept' } }
let order = 0
const next = () => ({ id: `ord_${order++}` })
const effects = () => gateway.graph.orders.received.filter(({ operation }) => operation === 'mutation')

/** A round of a call of `cancel_order`, by ada with a client that can send its user to a page, unless something else is said. */
async function round(given: object, more: Record<string, unknown> = {}, request: McpRequest = {}) {
  const params = { name: 'cancel_order', arguments: given, ...more }
  return (await gateway.mcp('tools/call', params, { ...canVisit, ...request })).body
}
const stateOf = (body: Record<string, any>) => body['result'].requestState as string // oxlint-disable-line typescript/no-explicit-any
const idIn = (body: Record<string, any>) => body['result']._meta['dev.behalf/approval'].id as string // oxlint-disable-line typescript/no-explicit-any
const asking = { result: { resultType: 'input_required', requestState: expect.any(String) } }
const refused = {
  error: {
    code: -32602,
    message: 'The requestState is not that of this call, or its time is over. Call the tool without it.',
    data: { reason: 'invalid_request_state' },
  },
}

describe('[P9] a client that can send its user to a page', () => {
  it('is told which, for which approval, and carries on once they have decided there: it runs once', async () => {
    const given = next()
    const first = await round(given)
    expect(first['result']).toEqual({
      resultType: 'input_required',
      inputRequests: {
        approval: {
          method: 'elicitation/create',
          params: {
            mode: 'url',
            message: 'This needs your approval: Run cancel_order',
            url: `https://console.example/decide?tab=agents&approval=${idIn(first)}`,
          },
        },
      },
      requestState: expect.any(String),
      _meta: expect.objectContaining({ 'dev.behalf/txn': expect.any(String) }),
    })
    // Neither the client nor a model says what was decided: before it is, they are asked again.
    const requestState = stateOf(first)
    const again = await round(given, { requestState, inputResponses: accepted })
    expect(again).toMatchObject(asking)
    expect(idIn(again)).toBe(idIn(first))
    const claimed = { approval: { action: 'accept', content: { approved: true, decision: 'APPROVE' } } }
    expect(await round(given, { requestState, inputResponses: claimed })).toMatchObject(asking)
    expect(effects()).toEqual([])

    await gateway.resolve(idIn(first), 'APPROVED')
    for (const state of [requestState, stateOf(again), requestState])
      expect(await round(given, { requestState: state, inputResponses: accepted })).toMatchObject({
        result: { resultType: 'complete', structuredContent: { cancelOrder: { id: given.id } } },
      })
    expect(new Set(effects().map(({ context }) => context.identity.actor?.call)).size).toBe(1)
    expect(gateway.authority.approvals.kept.find(({ id }) => id === idIn(first))?.uses).toBe(1)
  })

  it('is told where they have rejected it, and as others are where its user would not go', async () => {
    const given = next()
    const first = await round(given)
    for (const action of ['decline', 'cancel'])
      expect(
        await round(given, { requestState: stateOf(first), inputResponses: { approval: { action } } }),
      ).toMatchObject({ result: { isError: true, content: [{ text: expect.stringContaining(idIn(first)) }] } })
    await gateway.resolve(idIn(first), 'REJECTED')
    expect(await round(given, { requestState: stateOf(first), inputResponses: accepted })).toMatchObject({
      result: { isError: true, content: [{ text: expect.stringContaining('APPROVAL_REJECTED') }] },
    })
    expect(effects()).toEqual([])
  })

  it('is one that says so: others are told in a result, as is everybody where there is no such page', async () => {
    for (const capabilities of [{}, { elicitation: {} }, { elicitation: { form: {} } }, { sampling: {} }])
      expect(await round(next(), {}, { capabilities })).toMatchObject({
        result: { isError: true, content: [{ text: expect.stringContaining('https://console.example/decide') }] },
      })
    const headers = { 'mcp-protocol-version': '2025-11-25' }
    const params = { name: 'cancel_order', arguments: next() }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
    expect(await round({}, {}, { headers, body })).toMatchObject({ result: { isError: true } })
    await using without = await startMcpGateway()
    const { body: told } = await without.call('cancel_order', next(), canVisit)
    expect(told).toMatchObject({
      result: { isError: true, content: [{ text: expect.stringContaining('http://127.0.0.1:4000/') }] },
    })
  })
})

describe('[P9] what a client carries from round to round', () => {
  const kept = (id: string) => gateway.authority.approvals.kept.find((each) => each.id === id)
  const sealed = (change: Partial<Round>, at = Date.now(), rootKey = gateway.rootKey) => {
    const [approval] = gateway.authority.approvals.kept.slice(-1)
    if (!approval) throw new Error('nothing was asked')
    const { id, argumentsHash, delegation } = approval
    const { subject, tenant, client, id: dlg } = delegation
    const whole = { subject, tenant, client, delegation: dlg, tool: 'cancel_order', argumentsHash, approval: id }
    return createTicketSealer({ rootKey, epoch: 1 }).sealRound({ ...whole, ...change }, new Date(at + 30_000))
  }

  it('is of one user, client, delegation, tool, arguments and decision, in its time, and by the gateway alone', async () => {
    const given = next()
    const first = await round(given)
    await gateway.resolve(idIn(first), 'APPROVED')
    const state = stateOf(first)
    const as = async (claims: Record<string, unknown>) => ({ token: await gateway.mcpToken(claims) })
    const asked = gateway.authority.approvals.kept.length
    const use = (requestState: string, request: McpRequest = {}, args: object = given, name = 'cancel_order') =>
      round(args, { name, requestState, inputResponses: accepted }, request)

    expect(await use(state, await as({ sub: 'ben' }))).toEqual({ jsonrpc: '2.0', id: 1, ...refused })
    expect(await use(state, await as({ client_id: 'another-client' }))).toMatchObject(refused)
    expect(await use(state, await as({ act: { sub: 'robot' } }))).toMatchObject(refused)
    expect(await use(state, {}, {}, 'list_orders')).toMatchObject(refused)
    expect(await use(state, {}, next())).toMatchObject(refused)
    const middle = Math.floor(state.length / 2)
    const altered = `${state.slice(0, middle)}${state[middle] === 'A' ? 'B' : 'A'}${state.slice(middle + 1)}`
    for (const wrong of [altered, state.slice(0, -8), '', 'x', `${state}.`, 'x'.repeat(10_000)])
      expect(await use(wrong)).toMatchObject(refused)
    // Nobody was asked anything by that, and nothing was done.
    expect(gateway.authority.approvals.kept).toHaveLength(asked)
    expect(effects()).toEqual([])
    const denied = gateway.authority.events.filter(({ outcome }) => outcome === 'APPROVAL_MISMATCH')
    expect(denied.length).toBe(11)
    expect(await use(state)).toMatchObject({ result: { structuredContent: { cancelOrder: { id: given.id } } } })
  })

  it('is refused part by part', async () => {
    const given = next()
    await gateway.resolve(idIn(await round(given)), 'APPROVED')
    const use = (requestState: string) => round(given, { requestState, inputResponses: accepted })
    for (const change of [
      { subject: 'usr_ben' },
      { tenant: 'globex' },
      { client: 'other' },
      { delegation: 'dlg_other' },
      { tool: 'list_orders' },
      { argumentsHash: 'other' },
      { approval: 'apr_other' },
    ])
      expect({ change, ...(await use(await sealed(change))) }).toMatchObject({ change, ...refused })
    expect(await use(await sealed({}, Date.now() - 60_000))).toMatchObject(refused)
    expect(await use(await sealed({}, Date.now(), randomBytes(32).toString('base64url')))).toMatchObject(refused)
    expect(effects()).toEqual([])
    expect(await use(await sealed({}))).toMatchObject({ result: { structuredContent: {} } })
  })

  it('is no ticket, and no ticket is one; and it shows nothing of what is in it', async () => {
    const first = await round(next())
    const state = stateOf(first)
    const sealer = createTicketSealer({ rootKey: gateway.rootKey, epoch: 1 })
    await expect(sealer.open(state, 'gateway')).rejects.toMatchObject({ code: 'TICKET_REFUSED' })
    await expect(sealer.openProof(state, 'gateway', new Date())).rejects.toMatchObject({ code: 'TICKET_REFUSED' })
    const { argumentsHash = '' } = kept(idIn(first)) ?? {}
    const readable = state.split('.').map((part) => Buffer.from(part, 'base64url').toString('latin1'))
    for (const secret of ['usr_ada', idIn(first), argumentsHash]) expect(readable.join()).not.toContain(secret)
    expect(await sealer.openRound(state)).toMatchObject({ subject: 'usr_ada', approval: idIn(first) })
  })
})
