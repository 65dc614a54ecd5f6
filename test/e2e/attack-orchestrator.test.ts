import { connect } from 'node:net'
import { createWorkloadSigner, deriveWorkloadKey, workloadTokenHeader } from '@behalf/identity'
import { decodeJwt } from 'jose'
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
async function send(user: string, input: object) {
  const token = keep(await system.token(user))
  const idempotencyKey = `text-${++texts}`
  const { body } = await system.graphql(token, sendText, {
    input: { text: 'what is my balance?', idempotencyKey, ...input },
  })
  expect(body.errors).toBeUndefined()
  const contextToken = keep(proxy.header(proxy.exchanges.at(-1)!, 'txn-token')!)
  const { hop } = decodeJwt<{ hop: { ticket: string } }>(contextToken)
  return { ...body.data?.['chatSend'], ticket: keep(hop.ticket) }
}

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

describe('an orchestrator with other intentions, with all its keys', () => {
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

    const call = (change: object) =>
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
      const { body } = await call({})
      expect(body).toMatchObject({ ok: true, result: { viewer: { balance: { amount: await balanceOf('ben') } } } })
    }
    const order = await call({ name: 'get_order_status', arguments: { orderId: orderOfAda } })
    expect(order.body).toMatchObject({ ok: true, result: { order: null } })
    for (const change of [
      { name: 'chatSend' },
      { name: 'query { viewer { email } }' },
      { name: '__proto__' },
      { arguments: { userId: 'usr_ada' } },
      { arguments: [] },
    ]) {
      expect((await call(change)).body).toMatchObject({
        ok: false,
        error: { code: expect.stringMatching(/^TOOL_(UNKNOWN|ARGUMENTS_INVALID)$/) },
      })
    }
    expect((await call({ delegation: ofBen.ticket })).body).toMatchObject({ error: { code: 'DELEGATION_REFUSED' } })
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
