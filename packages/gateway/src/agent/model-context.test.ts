import { createHash } from 'node:crypto'
import {
  contextTokenHeader,
  createContextVerifier,
  createWorkloadSigner,
  deriveContextKeys,
  deriveWorkloadKey,
  workloadTokenHeader,
} from '@behalf/identity'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
let silent: TestGateway
beforeAll(async () => {
  ;[gateway, silent] = await Promise.all([startTestGateway({ model: { facts: ['tier'] } }), startTestGateway()])
})
afterAll(async () => void (await Promise.all([gateway, silent].map((each) => each[Symbol.asyncDispose]()))))

async function post(at: TestGateway, path: string, body: string, type = 'application/json', workload = 'chat') {
  const key = deriveWorkloadKey(at.rootKey, workload, 1)
  const signer = createWorkloadSigner({ name: workload, key, trustDomain: 'behalf' })
  const { status, text } = await at.send(path, {
    internal: true,
    method: 'POST',
    body,
    headers: {
      'content-type': type,
      [workloadTokenHeader]: signer.sign({ method: 'POST', path, body: Buffer.from(body) }),
    },
  })
  return { status, body: JSON.parse(text) as Record<string, unknown> }
}
async function delegationOf(at: TestGateway): Promise<string> {
  const scope = 'profile orders:read chat'
  await at.ask('mutation { chatSend(text: "hi") }', { token: await at.token({ scope, sid: 's1' }) })
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: at.graph.chat.received.at(-1)?.context.ticket ?? '',
    subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
  })
  const { body } = await post(at, '/internal/token', form.toString(), 'application/x-www-form-urlencoded')
  return String(body['access_token'])
}
const sha256 = (body: string) => createHash('sha256').update(body).digest('base64url')
const words = '{"messages":[{"role":"user","content":"hi"}]}'
const ask = (at: TestGateway, change: object, workload?: string) =>
  post(
    at,
    '/internal/model/context',
    JSON.stringify({ run: 'run_1', sha256: sha256(words), ...change }),
    undefined,
    workload,
  )

/** As a model server reads what it is sent, with the keys of `receiver`. */
async function read(token: string, body = words, receiver = 'model') {
  const keys = deriveContextKeys(gateway.rootKey, receiver, [1])
  const head = createContextVerifier({ receiver, keys, trustDomain: 'behalf' }).verifyHead({
    method: 'POST',
    url: '/v1/chat/completions',
    rawHeaders: [contextTokenHeader, token, 'content-length', String(body.length)],
  })
  return head.verifyBody(Buffer.from(body)).verifyOperation('query', () => Promise.resolve(false))
}

describe('[P1] [P5] the context of a request to the model', () => {
  it('says whom it answers, by whom, and nothing that could be used elsewhere', async () => {
    const { status, body } = await ask(gateway, { delegation: await delegationOf(gateway) })
    expect(status).toBe(200)
    const { identity, ticket } = await read(String(body['token']))
    expect(identity).toMatchObject({
      subject: 'usr_ada',
      tenant: 'acme',
      scopes: [],
      approval: null,
      actor: { agent: 'assistant', run: 'run_1', tool: null, call: null },
    })
    expect(Object.keys(identity.facts).filter((name) => name !== 'tier')).toEqual([])
    expect(ticket).toBeNull()
    expect(gateway.logs.join('')).not.toContain(String(body['token']).split('.')[2])
  })

  it('[P4] is for that body and that receiver only', async () => {
    const { body } = await ask(gateway, { delegation: await delegationOf(gateway) })
    const token = String(body['token'])
    await expect(read(token, words.replace('hi', 'ho'))).rejects.toMatchObject({ code: 'CONTEXT_WRONG_REQUEST' })
    await expect(read(token, words, 'orders')).rejects.toMatchObject({ code: 'CONTEXT_WRONG_RECEIVER' })
    expect((await read(token)).identity.subject).toBe('usr_ada')
    // It is no credential of the gateway's either.
    const { status } = await gateway.ask('{ me { id } }', { token })
    expect(status).toBe(401)
  })

  it('[P11] is made for a living delegation of that workload', async () => {
    const delegation = await delegationOf(gateway)
    expect(await ask(gateway, { delegation: 'x'.repeat(43) })).toMatchObject({
      body: { error: { code: 'DELEGATION_REFUSED' } },
    })
    expect(await ask(gateway, { delegation }, 'orders')).toMatchObject({
      body: { error: { code: 'WORKLOAD_REFUSED' } },
    })
    expect(await ask(gateway, { delegation, sha256: 'short' })).toMatchObject({
      body: { error: { code: 'BAD_REQUEST' } },
    })
    expect(await ask(gateway, { delegation })).toMatchObject({ status: 200 })
    const stored = gateway.authority.delegations.get(delegation)
    if (stored) stored.revoked = true
    expect(await ask(gateway, { delegation })).toMatchObject({ body: { error: { code: 'DELEGATION_REFUSED' } } })
  })

  it('is not made unless the gateway is told to', async () => {
    expect(await ask(silent, { delegation: await delegationOf(silent) })).toMatchObject({
      status: 404,
      body: { error: { code: 'NOT_FOUND' } },
    })
  })
})
