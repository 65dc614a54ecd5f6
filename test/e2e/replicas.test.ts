import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Authority, createAuthority } from '@behalf/authority'
import {
  agentApiPaths,
  agentApiTypes,
  contextTokenHeader,
  createContextSigner,
  createWorkloadSigner,
  deriveWorkloadKey,
  workloadTokenHeader,
} from '@behalf/identity'
import { testPrincipal } from '@behalf/testing'
import { decodeJwt } from 'jose'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Replica, type Replicas, startReplicas } from '../support/replicas.ts'
import { root } from '../support/system.ts'

let system: Replicas
let one: Replica
let other: Replica
let operator: Authority

beforeAll(async () => {
  system = await startReplicas()
  ;[one, other] = system.all
  operator = createAuthority({ url: system.database.gatewayUrl, max: 1 })
  // Eleven processes: a machine that has other things to do may need longer than for one.
}, 300_000)
afterAll(async () => {
  await operator?.close()
  await system?.[Symbol.asyncDispose]()
})

const me = '{ viewer { id } }'
const end = 'mutation ($id: ID!) { revokeDelegation(id: $id) { id revokedAt } }'
const list = '{ viewer { delegations { id revokedAt } } }'
const ofAda = { status: 200, body: { data: { viewer: { id: 'usr_ada' } } } }
const over = { status: 401, body: { errors: [{ extensions: { code: 'SESSION_ENDED' } }] } }
const unknown = { status: 503, body: { errors: [{ extensions: { code: 'REVOCATIONS_UNKNOWN' } }] } }

/** Milliseconds until `ask` answers as expected, on each replica. */
async function timeUntil(ask: (replica: Replica) => Promise<unknown>, expected: object): Promise<number[]> {
  const begun = performance.now()
  return Promise.all(
    system.all.map(async (replica) => {
      await expect.poll(() => ask(replica), { timeout: 5000, interval: 5 }).toMatchObject(expected)
      return performance.now() - begun
    }),
  )
}

/** The agent API of a replica, as the orchestrator. */
async function internal(replica: Replica, path: string, body: string, type = 'application/json') {
  const key = deriveWorkloadKey(system.rootKey, 'orchestrator', 1)
  const signer = createWorkloadSigner({ name: 'orchestrator', key, trustDomain: 'behalf' })
  const bytes = new TextEncoder().encode(body)
  const response = await fetch(new URL(path, replica.internal), {
    method: 'POST',
    headers: { 'content-type': type, [workloadTokenHeader]: signer.sign({ method: 'POST', path, body: bytes }) },
    body: bytes,
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** A token of somebody who may have been ended a moment ago: those of the next seconds are over, too. */
async function signIn(user: string): Promise<string> {
  let token = ''
  const ask = async () => one.graphql((token = await system.token(user)), me)
  await expect.poll(ask, { timeout: 20_000, interval: 500 }).toMatchObject({ status: 200 })
  return token
}

let texts = 0
/** A delegation that no run uses: of a text into a conversation that is nobody's, whose ticket is still good. */
async function delegate(token: string): Promise<{ id: string; handle: string }> {
  const text = { text: 'hi', idempotencyKey: `text-${++texts}`, conversationId: 'cnv_0000000000000000000000' }
  const { body } = await one.graphql(
    token,
    'mutation ($input: ChatSendInput!) { chatSend(input: $input) { run { id } } }',
    {
      input: text,
    },
  )
  expect(body).toMatchObject({ data: { chatSend: { run: null } } })
  const { wire } = one
  const contextToken = wire.orchestrator.header(wire.orchestrator.exchanges.at(-1)!, contextTokenHeader.toLowerCase())
  const { hop } = decodeJwt<{ hop: { ticket: string } }>(contextToken ?? '')
  const redeemed = await internal(
    one,
    agentApiPaths.token,
    new URLSearchParams({
      grant_type: agentApiTypes.tokenExchange,
      subject_token: hop.ticket,
      subject_token_type: agentApiTypes.ticket,
    }).toString(),
    'application/x-www-form-urlencoded',
  )
  expect(redeemed.status).toBe(200)
  return { id: String(redeemed.body['delegation']), handle: String(redeemed.body['access_token']) }
}
const act = (replica: Replica, { handle }: { handle: string }) =>
  internal(
    replica,
    agentApiPaths.callTool,
    JSON.stringify({ delegation: handle, run: 'run_1', call: `call_${++texts}`, name: 'list_orders', arguments: {} }),
  )
const acted = { status: 200, body: { ok: true } }

describe('[P11] through one gateway and on the other', () => {
  it("an agent's delegation is ended by its user", async () => {
    const token = await system.token('ada')
    const [delegation, kept] = [await delegate(token), await delegate(token)]
    for (const replica of system.all) expect(await act(replica, delegation)).toMatchObject(acted)
    expect((await other.graphql(token, list)).body.data?.['viewer'].delegations).toContainEqual({
      id: delegation.id,
      revokedAt: null,
    })

    expect((await one.graphql(token, end, { id: delegation.id })).body).toMatchObject({
      data: { revokeDelegation: { id: delegation.id, revokedAt: expect.any(String) } },
    })
    for (const replica of [other, one]) {
      expect(await act(replica, delegation)).toMatchObject({ body: { error: { code: 'DELEGATION_REFUSED' } } })
      expect(await act(replica, kept)).toMatchObject(acted)
    }
    expect((await other.graphql(await system.token('ben'), end, { id: kept.id })).body.data).toEqual({
      revokeDelegation: null,
    })
    expect(await act(other, kept)).toMatchObject(acted)
  })

  it('a user is ended by an operator within a second, and so is what they let agents do', async () => {
    const [token, ben] = [await system.token('ada'), await system.token('ben')]
    const delegation = await delegate(token)
    for (const replica of system.all) expect(await replica.graphql(token, me)).toMatchObject(ofAda)
    await operator.revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' }, 'OPERATOR')
    const times = await timeUntil((replica) => replica.graphql(token, me), over)
    expect(Math.max(...times)).toBeLessThan(1000)
    for (const replica of system.all) {
      expect(await act(replica, delegation)).toMatchObject({ body: { error: { code: 'DELEGATION_REFUSED' } } })
      expect((await replica.graphql(ben, me)).status).toBe(200)
    }
    // Whoever signs in again is in again.
    expect(await one.graphql(await signIn('ada'), me)).toMatchObject(ofAda)
  })

  it('a user is ended by the command', async () => {
    const token = await system.token('ben')
    const cli = join(root, 'packages/cli/src/main.ts')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@behalf/source', cli, 'revoke', '--subject', 'usr_ben', '--issuer', system.issuer],
      { env: { DATABASE_URL: system.database.gatewayUrl } },
    )
    expect(stdout).toMatch(/^Ended: .*usr_ben/)
    const times = await timeUntil((replica) => replica.graphql(token, me), over)
    expect(Math.max(...times)).toBeLessThan(1000)
  })

  it('is known within a second even where the connections were cut on which it would have been heard', async () => {
    const token = await signIn('ada')
    const admin = new pg.Client({ connectionString: system.database.url })
    await admin.connect()
    const { rowCount } = await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'gateway' and query ilike 'listen%'`,
    )
    await admin.end()
    // Of two gateways, which listen for revocations and for decisions.
    expect(rowCount).toBe(4)
    await operator.revoke({ kind: 'subject', issuer: system.issuer, subject: 'usr_ada' }, 'OPERATOR')
    const times = await timeUntil((replica) => replica.graphql(token, me), over)
    expect(Math.max(...times)).toBeLessThan(1000)
  })
})

describe("[P4] a mutation's context token", () => {
  /** To identity, as a gateway would send it. */
  function signed() {
    const body = new TextEncoder().encode(JSON.stringify({ query: end, variables: { id: 'dlg_unknown' } }))
    const signer = createContextSigner({ rootKey: system.rootKey, trustDomain: 'behalf' })
    const principal = testPrincipal('ada', { scopes: ['delegations:manage'] })
    const token = signer.sign(principal, {
      to: 'identity',
      body,
      operation: 'mutation',
      txn: crypto.randomUUID(),
      facts: [],
      scopes: principal.scopes,
    })
    return async (replica: Replica) => {
      const headers = { 'content-type': 'application/json', [contextTokenHeader]: token }
      const response = await fetch(replica.subgraphs.identity, { method: 'POST', headers, body })
      return { status: response.status, body: await response.json() }
    }
  }
  const done = { status: 200, body: { data: { revokeDelegation: null } } }
  const replayed = { status: 401, body: { errors: [{ extensions: { code: 'CONTEXT_REPLAYED' } }] } }

  it('is good once, on whichever replica of the receiver, however many are asked at once', async () => {
    for (let round = 0; round < 5; round++) {
      const send = signed()
      const answers = await Promise.all([one, other, one, other].map(send))
      expect(answers.filter(({ status }) => status === 200)).toMatchObject([done])
      expect(answers.filter(({ status }) => status !== 200)).toMatchObject([replayed, replayed, replayed])
    }
    expect(await signed()(other)).toMatchObject(done)
  })

  it('that was captured between gateway and subgraph does nothing on the other replica', async () => {
    const token = await signIn('ada')
    await one.graphql(token, end, { id: 'dlg_unknown' })
    const { identity } = one.wire
    const { body, status, rawHeaders } = identity.exchanges.at(-1)!
    expect(status).toBe(200)
    expect(rawHeaders).toContain('content-type')
    const captured = identity.header(identity.exchanges.at(-1)!, contextTokenHeader.toLowerCase()) ?? ''
    const response = await fetch(other.subgraphs.identity, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [contextTokenHeader]: captured },
      body,
    })
    expect({ status: response.status, body: await response.json() }).toMatchObject(replayed)
  })
})

describe('[P11] while the database is gone', () => {
  it('nothing is changed and no agent acts, people are shown things, and it ends by itself', async () => {
    const token = await signIn('ben')
    const delegation = await delegate(token)
    const change = (replica: Replica) => replica.graphql(token, end, { id: 'dlg_unknown' })
    const changed = { status: 200, body: { data: { revokeDelegation: null } } }
    const ofBen = { status: 200, body: { data: { viewer: { id: 'usr_ben' } } } }
    for (const replica of system.all) {
      expect(await change(replica)).toMatchObject(changed)
      expect(await act(replica, delegation)).toMatchObject(acted)
    }

    await system.database.stop()
    for (const replica of system.all) {
      await expect.poll(() => change(replica), { timeout: 10_000, interval: 100 }).toMatchObject(unknown)
      expect(await replica.graphql(token, me)).toMatchObject(ofBen)
      expect((await act(replica, delegation)).status).toBe(503)
      expect((await fetch(`${replica.gateway}/readyz`)).status).toBe(200)
    }

    await system.database.start()
    for (const replica of system.all) {
      await expect.poll(() => change(replica), { timeout: 10_000, interval: 100 }).toMatchObject(changed)
      expect(await act(replica, delegation)).toMatchObject(acted)
    }
    // What is ended from now on is heard of again.
    await operator.revoke({ kind: 'subject', issuer: null, subject: 'usr_ben' }, 'OPERATOR')
    await timeUntil((replica) => replica.graphql(token, me), over)
  })
})
