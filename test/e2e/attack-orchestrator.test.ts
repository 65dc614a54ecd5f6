import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import {
  contextTokenHeader,
  createWorkloadSigner,
  deriveContextKeys,
  deriveWorkloadKey,
  workloadTokenHeader,
} from '@behalf/identity'
import { decodeJwt, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePorts } from '../support/free-ports.ts'
import { type RecordingProxy, recordingProxy } from '../support/recording-proxy.ts'
import { startSystem, type System } from '../support/system.ts'

const names = ['identity', 'orders', 'balance', 'orchestrator'] as const
let system: System
let proxy: RecordingProxy
/** What must be in no log: the last characters of everything that proves something. */
const secrets = new Set<string>()
const keep = (secret: string) => {
  secrets.add(secret.slice(-40))
  return secret
}

beforeAll(async () => {
  const ports = await freePorts(names.length)
  proxy = await recordingProxy(`http://127.0.0.1:${ports[3]}`)
  const direct = names.slice(0, 3).map((name, index) => `${name}=http://127.0.0.1:${ports[index]}/graphql`)
  system = await startSystem({
    env: {
      ...Object.fromEntries(names.map((name, index) => [`${name.toUpperCase()}_PORT`, String(ports[index])])),
      SUBGRAPHS: [...direct, `orchestrator=${proxy.url}/graphql`].join(','),
      LOG_LEVEL: 'trace',
    },
  })
})
afterAll(async () => {
  await system.stop()
  await proxy[Symbol.asyncDispose]()
})

const sendText = `mutation ($input: ChatSendInput!) { chatSend(input: $input) {
  error { code } run { id conversation { id } message { text } } } }`
let texts = 0
async function send(user: string, input: object, scopes: readonly string[] = []) {
  const token = keep(await system.token(user, { scopes }))
  const idempotencyKey = `text-${++texts}`
  const { body } = await system.graphql(token, sendText, {
    input: { text: 'what is my balance?', idempotencyKey, ...input },
  })
  expect(body.errors).toBeUndefined()
  const contextToken = keep(proxy.header(proxy.exchanges.at(-1)!, 'txn-token')!)
  const { hop } = decodeJwt<{ hop: { ticket: string } }>(contextToken)
  return { ...body.data?.['chatSend'], ticket: keep(hop.ticket), contextToken }
}
/** A text that starts nothing, so that its ticket is ours to use. */
const sendNowhere = (user: string, scopes?: readonly string[]) =>
  send(user, { conversationId: 'conv_of_nobody' }, scopes)

/** The agent API, as whoever has the key of `workload`. */
async function ask(path: string, body: string, workload = 'orchestrator', headers: Record<string, string> = {}) {
  const key = deriveWorkloadKey(system.rootKey, workload, 1)
  const signer = createWorkloadSigner({ name: workload, key, trustDomain: 'behalf' })
  const bytes = new TextEncoder().encode(body)
  const response = await fetch(new URL(path, system.urls.internal), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      [workloadTokenHeader]: keep(signer.sign({ method: 'POST', path, body: bytes })),
      ...headers,
    },
    body: bytes,
  })
  return { status: response.status, body: (await response.json()) as Record<string, any> } // oxlint-disable-line typescript/no-explicit-any
}
const redeem = (ticket: string, workload?: string) =>
  ask(
    '/internal/token',
    new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: ticket,
      subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
    }).toString(),
    workload,
    { 'content-type': 'application/x-www-form-urlencoded' },
  )

const redeemed = async (ticket: string) => {
  const { body } = await redeem(ticket)
  return { handle: keep(body['access_token'] as string), id: body['delegation'] as string }
}
let calls = 0
const call = async (delegation: string, name: string, given: object = {}) =>
  (
    await ask(
      '/internal/tools/call',
      JSON.stringify({ delegation, run: 'run_1', call: `attack_${++calls}`, name, arguments: given }),
    )
  ).body
const toolsOf = async (delegation: string) => {
  const { body } = await ask('/internal/tools/list', JSON.stringify({ delegation, run: 'run_1' }))
  return (body['tools'] as { name: string; requiresApproval: boolean }[] | undefined) ?? body
}
const withCode = (code: string) => ({ ok: false, error: { code } })
const noDelegation = { error: { code: 'DELEGATION_REFUSED' } }

/** A context token of what one of ours says, for another receiver, body and operation, by the keys of `signedBy`. */
async function forge(ours: string, to: string, body: string, signedBy: string, kid = `${to}/1`): Promise<string> {
  const claims = decodeJwt<{ hop: object }>(ours)
  const now = Math.floor(Date.now() / 1000)
  const hop = { ...claims.hop, to, req: createHash('sha256').update(body).digest('base64url'), jti: randomUUID() }
  const key = Buffer.from(deriveContextKeys(system.rootKey, signedBy, [1]).split(':')[1] ?? '', 'base64url')
  return keep(
    await new SignJWT({ ...claims, iat: now, exp: now + 30, hop })
      .setProtectedHeader({ typ: 'txntoken+jwt', alg: 'HS256', kid })
      .sign(key),
  )
}
async function askSubgraph(name: (typeof names)[number], body: string, token: string) {
  const headers = { 'content-type': 'application/json', [contextTokenHeader]: token }
  const response = await fetch(system.urls.subgraphs[name], { method: 'POST', headers, body })
  return { status: response.status, body: (await response.json()) as Record<string, any> } // oxlint-disable-line typescript/no-explicit-any
}

describe('an orchestrator that was replaced by another program, with all its keys', { timeout: 60_000 }, () => {
  it('[P8] [P11] acts for those who asked, with what they gave, while they let it', async () => {
    // For nobody who did not ask: a handle is not made, nor is what says who somebody is one.
    for (const made of [randomBytes(32).toString('base64url'), 'usr_chloe', '']) {
      expect(await call(made, 'get_balance')).toMatchObject({
        error: { code: expect.stringMatching(/^(DELEGATION_REFUSED|BAD_REQUEST|BAD_USER_INPUT)$/) },
      })
    }
    expect((await redeem(randomBytes(32).toString('base64url'))).body).toMatchObject({
      error: { code: 'TICKET_REFUSED' },
    })

    // With no more than the text was sent with.
    const narrow = await redeemed((await sendNowhere('ben', ['profile', 'chat', 'balance:read'])).ticket)
    const wide = await redeemed((await sendNowhere('ben')).ticket)
    const namesOf = async (delegation: string) =>
      ((await toolsOf(delegation)) as { name: string }[]).map(({ name }) => name).toSorted()
    expect(await namesOf(narrow.handle)).toEqual(['get_balance', 'list_transactions'])
    const all = await namesOf(wide.handle)
    expect(all).toEqual(expect.arrayContaining(['cancel_order', 'get_order_status', 'list_orders', 'transfer']))
    for (const name of all.filter((each) => each !== 'get_balance' && each !== 'list_transactions'))
      expect(await call(narrow.handle, name)).toMatchObject(withCode('TOOL_UNKNOWN'))
    expect(await call(narrow.handle, 'get_balance')).toMatchObject({ ok: true })
    expect(await call(wide.handle, 'list_orders')).toMatchObject({ ok: true })

    // While they let it.
    const revoke = 'mutation ($id: ID!) { revokeDelegation(id: $id) { id } }'
    await system.graphql(await system.token('ben'), revoke, { id: wide.id })
    expect(await toolsOf(wide.handle)).toMatchObject(noDelegation)
    for (const name of all) expect(await call(wide.handle, name)).toMatchObject(noDelegation)
    expect(await call(narrow.handle, 'get_balance')).toMatchObject({ ok: true })
  })

  it('[P8] [P9] does nothing that needs an approval, and decides none, by whatever road', async () => {
    const { ticket, contextToken } = await sendNowhere('chloe')
    const { handle } = await redeemed(ticket)
    const token = await system.token('chloe')
    const state = async () =>
      (
        await system.graphql(
          token,
          '{ viewer { balance { amount } payees { id } orders(first: 100) { edges { node { id status } } } } }',
        )
      ).body.data?.['viewer']
    const before = await state()
    const order = before.orders.edges[0].node.id as string
    const attempts = [
      ['cancel_order', { orderId: order }],
      ['transfer', { payeeId: before.payees[0].id, amount: '1.00' }],
    ] as const
    const asked = []
    for (const [name, given] of attempts) {
      const answer = await call(handle, name, given)
      expect(answer).toMatchObject(withCode('APPROVAL_REQUIRED'))
      asked.push(answer['approval'] as { id: string; argumentsHash: string })
    }
    const [approval] = asked
    const decision = {
      query: `mutation ($id: ID!, $argumentsHash: String!) {
        resolveApproval(id: $id, argumentsHash: $argumentsHash, decision: APPROVE) { state } }`,
      variables: { id: approval?.id, argumentsHash: approval?.argumentsHash },
    }
    const body = JSON.stringify(decision)

    // As a tool.
    for (const name of ['resolveApproval', 'resolve_approval', 'approve'])
      expect(await call(handle, name, decision.variables)).toMatchObject(withCode('TOOL_UNKNOWN'))
    // At the gateway, with all that it holds.
    const signer = createWorkloadSigner({
      name: 'orchestrator',
      key: deriveWorkloadKey(system.rootKey, 'orchestrator', 1),
      trustDomain: 'behalf',
    })
    const workload = keep(signer.sign({ method: 'POST', path: '/graphql', body: Buffer.from(body) }))
    for (const credential of [workload, handle, contextToken, ticket]) {
      const { status, body: answer } = await system.graphql(credential, decision.query, decision.variables)
      expect([status, answer.errors?.[0]?.extensions?.['code']]).toEqual([401, 'CREDENTIAL_INVALID'])
    }
    expect((await ask('/graphql', body)).status).toBe(404)
    // At the subgraph, with a token of its own making: what it was sent itself, and what its keys can sign.
    const forged = [
      contextToken,
      await forge(contextToken, 'identity', body, 'orchestrator'),
      await forge(contextToken, 'identity', body, 'orchestrator', 'orchestrator/1'),
      await forge(contextToken, 'orchestrator', body, 'orchestrator'),
    ]
    for (const each of forged) expect((await askSubgraph('identity', body, each)).status).toBe(401)
    expect(await state()).toEqual(before)
    const { body: shown } = await system.graphql(token, '{ viewer { approvals(state: PENDING) { id } } }')
    expect(shown.errors).toBeUndefined()
    const pending = ((shown.data?.['viewer']?.approvals ?? []) as { id: string }[]).map(({ id }) => id)
    expect(pending).toEqual(expect.arrayContaining(asked.map(({ id }) => id)))

    // The twins: with the key of identity the same words are heard, and chloe's own decision counts.
    const theirs = await forge(
      contextToken,
      'identity',
      JSON.stringify({ query: 'mutation { revokeDelegation(id: "x") { id } }' }),
      'identity',
    )
    expect(
      (
        await askSubgraph(
          'identity',
          JSON.stringify({ query: 'mutation { revokeDelegation(id: "x") { id } }' }),
          theirs,
        )
      ).status,
    ).toBe(200)
    const { body: decided } = await system.graphql(token, decision.query, decision.variables)
    expect(decided.data).toEqual({ resolveApproval: { state: 'APPROVED' } })
  })

  it('gets one delegation out of a ticket, however many ask at once, and it is of whoever sent the text', async () => {
    const ofAda = await send('ada', {})
    expect((await redeem(ofAda.ticket)).body).toMatchObject({ error: { code: 'TICKET_REFUSED' } })

    // A text into a conversation that is not ben's starts nothing: its ticket is still good.
    const ofBen = await send('ben', { conversationId: ofAda.run.conversation.id })
    expect(ofBen).toMatchObject({ run: null, error: null })
    expect((await redeem(ofBen.ticket, 'orders')).body).toMatchObject({ error: { code: 'WORKLOAD_REFUSED' } })
    const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(ofBen.ticket)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    const handle = keep(answers.find(({ status }) => status === 200)!.body['access_token'] as string)

    const callWith = (change: object) =>
      ask(
        '/internal/tools/call',
        JSON.stringify({
          delegation: handle,
          run: ofAda.run.id,
          call: 'call_1',
          name: 'get_balance',
          arguments: {},
          ...change,
        }),
      )
    const balanceOf = async (user: string) =>
      (await system.graphql(await system.token(user), '{ viewer { balance { amount } } }')).body.data?.['viewer']
        .balance.amount
    const orderOfAda = (
      await system.graphql(await system.token('ada'), '{ viewer { orders(first: 1) { edges { node { id } } } } }')
    ).body.data?.['viewer'].orders.edges[0].node.id
    expect(await balanceOf('ada')).not.toBe(await balanceOf('ben'))

    // In ada's run, twice under one id: still ben's rows.
    for (let repeat = 0; repeat < 2; repeat++) {
      const { body } = await callWith({})
      expect(body).toMatchObject({ ok: true, result: { viewer: { balance: { amount: await balanceOf('ben') } } } })
    }
    const order = await callWith({ name: 'get_order_status', arguments: { orderId: orderOfAda } })
    expect(order.body).toMatchObject({ ok: true, result: { order: null } })
    for (const change of [
      { name: 'chatSend' },
      { name: 'query { viewer { email } }' },
      { name: '__proto__' },
      { arguments: { userId: 'usr_ada' } },
      { arguments: [] },
    ]) {
      expect((await callWith(change)).body).toMatchObject({
        ok: false,
        error: { code: expect.stringMatching(/^TOOL_(UNKNOWN|ARGUMENTS_INVALID)$/) },
      })
    }
    expect((await callWith({ delegation: ofBen.ticket })).body).toMatchObject({ error: { code: 'DELEGATION_REFUSED' } })
    expect((await system.graphql(handle, '{ viewer { id } }')).status).toBe(401)
    expect((await system.graphql(ofBen.ticket, '{ viewer { id } }')).status).toBe(401)
  })
})

describe('[P2] [P4] at the loudest log level', () => {
  it('nothing that proves anything is logged by any process, not even of what is not HTTP', async () => {
    const token = await system.token('ada')
    for (const url of [system.urls.gateway, system.urls.internal, ...Object.values(system.urls.subgraphs)]) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.end(
        `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nTxn-Token: ${token}\r\nBad Header: x\r\n\r\n`,
      )
      expect(Buffer.concat((await socket.toArray()) as Buffer[]).toString()).toContain('"BAD_REQUEST"')
    }
    const logs = await Promise.all([...names, 'gateway' as const].map((name) => system.log(name)))
    // Bytes that were logged as numbers are readable all the same.
    const text = logs
      .join('')
      .replaceAll(/\[(\d+(?:,\d+)+)\]/g, (_all, bytes: string) => Buffer.from(bytes.split(',').map(Number)).toString())
    expect(text).toContain('usr_ada')
    expect(secrets.size).toBeGreaterThan(30)
    expect([...secrets].filter((secret) => text.includes(secret))).toEqual([])
  })
})
