import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ada, agentOf, ben, encode, headersOf, logBook, principal, run, send, sign } from './fixtures.ts'
import { startOwned } from './owner-fixtures.ts'

let subgraph: Awaited<ReturnType<typeof startOwned>>
const events = () => subgraph.events
beforeAll(async () => {
  subgraph = await startOwned(logBook())
})
afterAll(() => subgraph.close())
beforeEach(() => {
  subgraph.events.length = 0
})

const nobody = { parent: null, subject: null, tenant: null, actor: null, target: null, rule: null, durationMs: null }

describe('[P14] an object that is withheld', () => {
  const query = '{ note(id: "theirs") { id } list(ids: ["theirs", "theirs", "mine"]) { id } room(id: "globex") { id } }'

  it('is recorded once for each place, with the rule that decided', async () => {
    const txn = randomUUID()
    await run(subgraph.url, query, { as: ada, txn })
    const withheld = { txn, subject: 'usr_ada', tenant: 'acme', actor: null, what: 'object.withheld' }
    const foreign = { ...withheld, rule: '@owner(field: "userId")', outcome: 'FOREIGN_OBJECT_WITHHELD' }
    expect(events()).toMatchObject([
      { ...foreign, target: 'Query.note', detail: { type: 'Note' } },
      { ...foreign, target: 'Query.list' },
      { ...foreign, target: 'Query.room', rule: '@owner(field: "org", claim: "tenant")', detail: { type: 'Room' } },
    ])
    // Neither whose it is nor its id.
    expect(JSON.stringify(events())).not.toMatch(/usr_ben|theirs|secret/)
  })

  it('is none for its owner', async () => {
    await run(subgraph.url, '{ note(id: "theirs") { id } }', { as: ben })
    expect(events()).toEqual([])
  })

  it('from an agent names the agent and what its run belongs to', async () => {
    const acting = agentOf(ada)
    const parent = randomUUID()
    const as = principal('usr_ada', { actor: { ...acting.actor!, parent } })
    await run(subgraph.url, '{ note(id: "ownerless") { id } }', { as })
    expect(events()).toMatchObject([{ actor: 'assistant', parent, outcome: 'OWNERLESS_OBJECT_WITHHELD' }])
  })
})

describe('[P14] a field that is denied here once more', () => {
  it('is recorded by what asks for it and with the rule, whatever the client calls it', async () => {
    const txn = randomUUID()
    const as = agentOf(ada)
    await run(subgraph.url, 'mutation { again: touch(id: "mine") { id } }', { as, txn })
    expect(events()).toMatchObject([
      {
        txn,
        subject: 'usr_ada',
        actor: 'assistant',
        what: 'field.denied',
        target: 'Mutation.touch',
        rule: '@agent(access: APPROVE)',
        outcome: 'APPROVAL_REQUIRED',
      },
    ])
    events().length = 0
    await run(subgraph.url, 'mutation { again: touch(id: "mine") { id } }')
    expect(events()).toEqual([])
  })
})

describe('[P14] a context token that is refused', () => {
  const query = encode({ query: '{ shelf { label } }' })
  const altered = encode({ query: '{ shelf { note { id } } }' })
  const post = (body: Uint8Array, token: string) => send(subgraph.url, { headers: headersOf(body, token), body })

  it('is recorded with its transaction where the signature holds, and with nothing else that it says', async () => {
    const txn = randomUUID()
    expect(await post(altered, sign(query, { txn }))).toMatchObject({ status: 401 })
    expect(await post(query, sign(query, { txn, clock: () => Date.now() - 120_000 }))).toMatchObject({ status: 401 })
    const refused = { ...nobody, txn, what: 'context.refused', time: expect.any(Date), detail: {} }
    expect(events()).toEqual([
      { ...refused, outcome: 'CONTEXT_WRONG_REQUEST' },
      { ...refused, outcome: 'CONTEXT_EXPIRED' },
    ])
    expect(await post(query, sign(query, { txn }))).toMatchObject({ status: 200 })
    expect(events()).toHaveLength(2)
  })

  it('is counted where it does not, and so is more of the same than anybody needs', async () => {
    const forged = sign(query, { rootKey: randomBytes(32).toString('base64url') })
    const captured = sign(query)
    for (let i = 0; i < 3; i++) await post(query, forged)
    await send(subgraph.url, { headers: headersOf(query), body: query })
    for (let i = 0; i < 300; i++) await post(altered, captured)
    await subgraph.close()
    const counted = events().filter(({ txn }) => txn === null)
    const times = (code: string) =>
      counted.reduce((sum, { outcome, detail }) => sum + (outcome === code ? Number(detail['count']) : 0), 0)
    expect(times('CONTEXT_SIGNATURE')).toBe(3)
    expect(times('CONTEXT_MISSING')).toBe(1)
    // The first hundred in ten seconds have events of their own.
    const own = events().filter(({ outcome, txn }) => outcome === 'CONTEXT_WRONG_REQUEST' && txn !== null)
    expect(own.length).toBeLessThan(300)
    expect(own.length + times('CONTEXT_WRONG_REQUEST')).toBe(300)
    expect(counted[0]).toMatchObject({ ...nobody, what: 'context.refused' })
  })
})
