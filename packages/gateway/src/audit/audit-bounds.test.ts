import { createWorkloadSigner, deriveWorkloadKey, workloadTokenHeader } from '@behalf/identity'
import { describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

async function callWithNoDelegation(gateway: TestGateway) {
  const key = deriveWorkloadKey(gateway.rootKey, 'chat', 1)
  const path = '/internal/tools/list'
  const body = '{"delegation":"none","run":"run_1"}'
  const proof = createWorkloadSigner({ name: 'chat', key, trustDomain: 'behalf' })
  const token = proof.sign({ method: 'POST', path, body: Buffer.from(body) })
  const headers = { 'content-type': 'application/json', [workloadTokenHeader]: token }
  return gateway.send(path, { internal: true, method: 'POST', body, headers })
}
const countOf = ({ detail }: { readonly detail: Readonly<Record<string, unknown>> }) => Number(detail['count'] ?? 1)

describe('[P14] what can be caused without end fills no trail', () => {
  it('requests of nobody have events of their own a hundred times, and hide nothing of what agents do', async () => {
    const gateway = await startTestGateway()
    const { events } = gateway.authority
    for (let i = 0; i < 130; i++) await gateway.ask('{ whoami }')
    const token = await gateway.token()
    for (let i = 0; i < 3; i++) await gateway.ask('{ whoami }', { token })
    await callWithNoDelegation(gateway)
    expect(events.filter(({ subject }) => subject === 'usr_ada')).toHaveLength(3)
    expect(events.at(-1)).toMatchObject({ what: 'delegation.used', txn: expect.any(String) })
    await gateway[Symbol.asyncDispose]()
    const ofNobody = events.filter(({ subject }) => subject === 'anonymous')
    expect(ofNobody.length).toBeLessThan(130)
    expect(ofNobody.reduce((sum, event) => sum + countOf(event), 0)).toBe(130)
  })

  it('requests beyond a limit are counted for their user, and one within it has its event', async () => {
    const gateway = await startTestGateway({ limits: { user: { requests: 1 } } })
    const token = await gateway.token()
    for (let i = 0; i < 6; i++) await gateway.ask('{ whoami }', { token })
    await gateway[Symbol.asyncDispose]()
    expect(gateway.authority.events).toMatchObject([
      { what: 'request', outcome: 'OK', txn: expect.any(String) },
      { what: 'request', outcome: 'RATE_LIMITED', txn: null, subject: 'usr_ada', tenant: 'acme', detail: { count: 5 } },
    ])
  })

  it('operations beyond a limit of cost are counted, too', async () => {
    const gateway = await startTestGateway({ limits: { operation: { cost: 10 }, user: { cost: 10 } } })
    const token = await gateway.token()
    for (let i = 0; i < 14; i++) await gateway.ask('{ whoami }', { token })
    await gateway[Symbol.asyncDispose]()
    const limited = gateway.authority.events.filter(({ outcome }) => outcome === 'RATE_LIMITED')
    expect(limited).toMatchObject([{ what: 'request', txn: null, subject: 'usr_ada', detail: { count: 4 } }])
  })
})

describe('[P14] the txn', () => {
  it('is in every answer, its own for each, and in every line that is logged of a refusal', async () => {
    await using gateway = await startTestGateway({ limits: { bodyBytes: 1000 } })
    const token = await gateway.token({ scope: 'profile' })
    const json = { 'content-type': 'application/json' }
    const post = (body: string, headers: Record<string, string> = json) =>
      gateway.send('/graphql', { method: 'POST', body, headers })
    const ok = { ...json, authorization: `Bearer ${token}` }
    const answers = [
      await post('{"query":"{ whoami }"}', ok),
      await post('{"query":"{ nothing }"}', ok),
      await post('{', ok),
      await post('{"query":"subscription { a }"}', ok),
      await post('{}', { ...json, authorization: 'Bearer x' }),
      await post('x'.repeat(2000), ok),
      await post('{}', { 'content-type': 'text/plain' }),
      await gateway.send('/graphql', { method: 'PUT', headers: json, body: '{}' }),
      await gateway.send('/nothing'),
      await gateway.send('/graphql?query={whoami}'),
      // Apollo Server refuses these before any plugin of ours is asked.
      await gateway.send('/graphql?query={whoami}&variables=x'),
      await post('{"query":"{ whoami }"}', { ...ok, accept: 'text/plain' }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 400, 401, 413, 415, 405, 404, 200, 400, 406])
    const txns = answers.map(({ body }) => body.extensions?.txn)
    // UUIDv7 (RFC 9562 5.7).
    for (const txn of txns) expect(txn).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect(new Set(txns).size).toBe(answers.length)
    const refused = gateway.logs
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === 'request refused')
    expect(refused.map(({ txn }) => txn)).toEqual([txns[2], ...txns.slice(4, 9)])
  })
})
