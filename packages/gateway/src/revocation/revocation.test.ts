import { createWorkloadSigner, deriveWorkloadKey, type Revoked, workloadTokenHeader } from '@behalf/identity'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway[Symbol.asyncDispose]())
afterEach(() => {
  Object.assign(gateway.authority, { age: 0, down: false })
  gateway.authority.revoked.length = 0
  for (const { received } of gateway.graph.all) received.length = 0
})

const second = () => Math.floor(Date.now() / 1000)
const asked = () => gateway.graph.all.flatMap(({ received }) => received).length
const failed = (code: string, status: number) => ({ status, body: { errors: [{ extensions: { code } }] } })
const me = '{ viewer { id } }'
const rename = 'mutation { rename(name: "x") { id } }'

/** The agent API, as the workload that runs the assistant. */
async function internal(path: string, body: string, type = 'application/json') {
  const signer = createWorkloadSigner({
    name: 'chat',
    key: deriveWorkloadKey(gateway.rootKey, 'chat', 1),
    trustDomain: 'behalf',
  })
  const proof = signer.sign({ method: 'POST', path, body: Buffer.from(body) })
  const headers = { 'content-type': type, [workloadTokenHeader]: proof }
  const { status, text } = await gateway.send(path, { internal: true, method: 'POST', body, headers })
  return { status, body: JSON.parse(text) as Record<string, unknown> }
}
async function ticketOf(claims: Record<string, unknown> = {}) {
  const token = await gateway.token({ scope: 'profile orders:read chat', sid: 's1', ...claims })
  await gateway.ask('mutation { chatSend(text: "hi") }', { token })
  return gateway.graph.chat.received.at(-1)?.context.ticket ?? ''
}
const redeem = (ticket: string) =>
  internal(
    '/internal/token',
    new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: ticket,
      subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
    }).toString(),
    'application/x-www-form-urlencoded',
  )
const handleOf = async (ticket: Promise<string>) => String((await redeem(await ticket)).body['access_token'])
const list = (delegation: string) => internal('/internal/tools/list', JSON.stringify({ delegation, run: 'run_1' }))
const call = (delegation: string) =>
  internal(
    '/internal/tools/call',
    JSON.stringify({ delegation, run: 'run_1', call: 'call_1', name: 'list_orders', arguments: {} }),
  )

describe('[P11] an access token', () => {
  it.each<[string, () => Revoked]>([
    ['its user', () => ({ kind: 'subject', issuer: null, subject: 'usr_ada' })],
    ['its user with this issuer', () => ({ kind: 'subject', issuer: gateway.provider.issuer, subject: 'usr_ada' })],
    ['its session', () => ({ kind: 'session', issuer: gateway.provider.issuer, session: 's1' })],
  ])(
    'is refused as soon as %s was ended, though it was verified before, and no subgraph is asked',
    async (_what, revoked) => {
      const seen = await gateway.token({ sid: 's1', iat: second() - 60 })
      const unseen = await gateway.token({ sid: 's1', iat: second() - 60 })
      expect(await gateway.ask(me, { token: seen })).toMatchObject({ status: 200, body: { data: { viewer: {} } } })
      gateway.graph.users.received.length = 0
      await gateway.authority.revoke(revoked(), 'OPERATOR')
      for (const token of [seen, unseen]) {
        const answer = await gateway.ask(me, { token })
        expect(answer).toMatchObject(failed('SESSION_ENDED', 401))
        expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token", /)
      }
      expect(asked()).toBe(0)
      const others = [
        await gateway.token({ sub: 'ben', sid: 's2', iat: second() - 60 }),
        await gateway.token({ sid: 's3', iat: second() + 1 }),
      ]
      for (const token of others) expect((await gateway.ask(me, { token })).body.errors).toBeUndefined()
      expect((await gateway.ask('{ chatBackend }')).body).toMatchObject({ data: { chatBackend: 'none' } })
    },
  )
})

describe('[P11] the other signature of a token, which holds as well (r, n - s)', () => {
  it('is of the same token, and ends with it: nothing is keyed by its bytes', async () => {
    const token = await gateway.token({ iat: second() - 60 })
    const other = turnedOver(token)
    expect(other).not.toBe(token)
    for (const each of [token, other])
      expect((await gateway.ask(me, { token: each })).body).toMatchObject({ data: { viewer: { id: 'usr_ada' } } })
    await gateway.authority.revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' }, 'OPERATOR')
    for (const each of [token, other, turnedOver(await gateway.token({ iat: second() - 60 }))])
      expect(await gateway.ask(me, { token: each })).toMatchObject(failed('SESSION_ENDED', 401))
  })

  /** Of ES256, which JWS does not hold to one of the two (RFC 7518 3.4). */
  function turnedOver(token: string): string {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const [input, signature = ''] = [token.slice(0, token.lastIndexOf('.')), token.split('.')[2]]
    const bytes = Buffer.from(signature, 'base64url')
    const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
    const turned = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
    return `${input}.${turned.toString('base64url')}`
  }
})

describe('[P11] a delegation', () => {
  it('is refused once it, its session or its user was ended, and another is not', async () => {
    const { issuer } = gateway.provider
    const handle = await handleOf(ticketOf({ iat: second() - 60 }))
    const other = await handleOf(ticketOf({ sub: 'ben', sid: 's2' }))
    const { id } = gateway.authority.delegations.get(handle)!
    for (const revoked of [
      { kind: 'delegation', delegation: id },
      { kind: 'session', issuer, session: 's1' },
      { kind: 'subject', issuer: null, subject: 'usr_ada' },
    ] satisfies Revoked[]) {
      expect(await call(handle)).toMatchObject({ status: 200, body: { ok: true } })
      await gateway.authority.revoke(revoked, 'OPERATOR')
      for (const ask of [list, call]) {
        expect(await ask(handle)).toMatchObject({ status: 401, body: { error: { code: 'SESSION_ENDED' } } })
        expect(await ask(other)).toMatchObject({ status: 200 })
      }
      gateway.authority.revoked.length = 0
    }
  })

  it('came of a credential, and ends with that: not when it was made counts', async () => {
    const handle = await handleOf(ticketOf({ iat: second() - 60 }))
    gateway.authority.revoked.push({
      sequence: 1,
      revoked: { kind: 'subject', issuer: null, subject: 'usr_ada' },
      notBefore: new Date((second() - 30) * 1000),
      reason: 'LOGOUT',
    })
    expect(await call(handle)).toMatchObject({ status: 401, body: { error: { code: 'SESSION_ENDED' } } })
    expect(await call(await handleOf(ticketOf({ iat: second() - 10 })))).toMatchObject({ status: 200 })
  })
})

describe('[P11] while revocations are not known', () => {
  const refused = failed('REVOCATIONS_UNKNOWN', 503)
  const refusedPlain = { status: 503, body: { error: { code: 'REVOCATIONS_UNKNOWN' } } }

  it('for more than 5 seconds, nothing is changed and no agent acts, and a person is shown things', async () => {
    const token = await gateway.token()
    const program = await gateway.token({ client_id: 'script' })
    const handle = await handleOf(ticketOf())
    const ticket = await ticketOf()
    gateway.graph.all.forEach(({ received }) => (received.length = 0))
    gateway.authority.age = 5001
    for (const answer of [
      await gateway.ask(rename, { token }),
      await gateway.ask(`query a { viewer { id } } ${rename.replace('mutation', 'mutation b')}`, {
        token,
        operationName: 'b',
      }),
      await gateway.ask(me, { token: program }),
    ]) {
      expect(answer).toMatchObject(refused)
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(answer.body.extensions?.txn).toBeDefined()
    }
    for (const answer of [await list(handle), await call(handle), await redeem(ticket)])
      expect(answer).toMatchObject(refusedPlain)
    expect(asked()).toBe(0)
    expect(await gateway.ask(me, { token })).toMatchObject({
      status: 200,
      body: { data: { viewer: { id: 'usr_ada' } } },
    })

    gateway.authority.age = 5000
    expect((await gateway.ask(rename, { token })).body.errors).toBeUndefined()
    expect((await gateway.ask(me, { token: program })).status).toBe(200)
    for (const answer of [await list(handle), await call(handle), await redeem(ticket)]) expect(answer.status).toBe(200)
  })

  it('for more than 60 seconds, nobody who is signed in is answered', async () => {
    const token = await gateway.token()
    gateway.authority.age = 60_001
    const answer = await gateway.ask(me, { token })
    expect(answer).toMatchObject(refused)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(answer.headers.get('www-authenticate')).toBeNull()
    expect(asked()).toBe(0)
    expect(await gateway.ask('{ chatBackend }')).toMatchObject({ status: 200, body: { data: { chatBackend: 'none' } } })
    expect((await gateway.ask(rename)).status).toBe(200)
    gateway.authority.age = 60_000
    expect((await gateway.ask(me, { token })).status).toBe(200)
  })

  it('because the database is gone, a person who was known goes on being shown things', async () => {
    const token = await gateway.token()
    await gateway.ask(me, { token })
    Object.assign(gateway.authority, { down: true, age: 30_000 })
    expect((await gateway.ask(me, { token })).body).toMatchObject({ data: { viewer: { id: 'usr_ada' } } })
    expect(await gateway.ask(rename, { token })).toMatchObject(refused)
  })

  it('a tool that changes something is refused inside the gateway, too', async () => {
    const handle = await handleOf(ticketOf())
    const changing = () =>
      internal(
        '/internal/tools/call',
        JSON.stringify({ delegation: handle, run: 'run_1', call: 'c', name: 'start_chat', arguments: {} }),
      )
    // Becomes old between the door and the operation.
    let readings = 0
    const age = gateway.authority.revocations.age
    gateway.authority.revocations.age = () => (++readings > 1 ? 6000 : 0)
    expect((await changing()).body).toMatchObject({ ok: false, error: { code: 'REVOCATIONS_UNKNOWN' } })
    gateway.authority.revocations.age = age
    expect((await changing()).body).toMatchObject({ ok: true })
  })
})
