import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ada, type App, hashOf, openApp, request } from './approval-fixture.ts'
import { grant, openTrust, type Trust } from './fixtures.ts'

let trust: Trust
let app: App
beforeAll(async () => {
  trust = await openTrust()
  app = await openApp(trust)
})
beforeEach(() => trust.clear())
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await trust.close()
})

const approvals = () => trust.authority.approvals
const txn = '01980f6e-4444-7abc-8def-0123456789ab'
async function asked(change: Parameters<typeof request>[1] = {}, grantChange: Partial<typeof grant> = {}) {
  const { handle, delegation } = await trust.redeemed(grantChange)
  const made = request(delegation.id, change)
  const stored = await approvals().ask(made)
  if (stored === null) throw new Error('nothing was asked')
  return { handle, delegation, request: made, ...stored }
}
const again = (made: ReturnType<typeof request>) => approvals().ask(made)
const age = (id: string, column: string, by: string) =>
  trust.admin.query(
    `alter table approval disable trigger user; update approval set ${column} = ${column} - interval '${by}' where id = '${id}'; alter table approval enable trigger user`,
  )
const events = async () =>
  (
    await trust.admin.query(
      `select what, outcome, actor, txn, target from behalf.audit_event where what like 'approval%' order by id`,
    )
  ).rows

describe('asking', () => {
  it('[P9] finds the same approval for the same call, whatever became of it', async () => {
    const { id, state, proof, request: made, expiresAt } = await asked()
    expect({ state, proof }).toEqual({ state: 'PENDING', proof: null })
    expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(3_500_000)
    expect(await again(made)).toMatchObject({ id, state: 'PENDING', expiresAt })
    expect(await app.decide(id)).toBe('OK')
    expect(await again(made)).toMatchObject({
      id,
      state: 'APPROVED',
      proof: { ticket: `ticket of ${id}`, resolver: app.role, subject: 'usr_ada', agent: 'assistant' },
    })
    // Another call of the same is asked for anew.
    expect(await again({ ...made, call: 'call_other' })).toMatchObject({ state: 'PENDING' })
  })

  it('[P9] keeps what was asked first, for others to compare', async () => {
    const { request: made, argumentsHash } = await asked()
    expect(await again({ ...made, argumentsHash: hashOf('ord_2'), summary: 'Nothing' })).toMatchObject({
      argumentsHash,
      summary: made.summary,
    })
  })

  it('[P11] is for delegations in force', async () => {
    expect(await again(request('dlg_unknown'))).toBeNull()
    const { delegation } = await trust.redeemed()
    expect(await again(request(delegation.id))).not.toBeNull()
    await trust.authority.revoke({ kind: 'delegation', delegation: delegation.id }, 'OPERATOR')
    expect(await again(request(delegation.id))).toBeNull()
    const { delegation: other } = await trust.redeemed()
    await trust.admin.query(
      `update delegation set created_at = now() - interval '1 hour', expires_at = now() where id = '${other.id}'`,
    )
    expect(await again(request(other.id))).toBeNull()
  })

  it('of many at once makes one', async () => {
    const { delegation } = await trust.redeemed()
    const made = request(delegation.id)
    const all = await Promise.all(Array.from({ length: 20 }, () => again(made)))
    expect(new Set(all.map((stored) => stored?.id)).size).toBe(1)
    expect(await events()).toHaveLength(1)
  })
})

describe('deciding', () => {
  it('[P9] is up to the person who was asked, with the scope for it, and once', async () => {
    const { id, request: made } = await asked()
    const refused = { code: '42501' }
    expect(await app.decide(id, { by: { ...ada, sub: 'usr_ben' } })).toBeNull()
    expect(await app.decide(id, { by: { ...ada, actor: 'assistant' } })).toBeNull()
    expect(await app.decide(id, { by: {} })).toBeNull()
    await expect(app.decide(id, { by: { ...ada, scopes: 'chat' } })).rejects.toMatchObject(refused)
    expect(await app.decide(id, { hash: hashOf('ord_2') })).toBe('APPROVAL_MISMATCH')
    expect(await app.decide('apr_unknown')).toBeNull()
    expect(await again(made)).toMatchObject({ state: 'PENDING' })
    expect(await app.decide(id)).toBe('OK')
    expect(await app.decide(id)).toBe('APPROVAL_ALREADY_RESOLVED')
    expect(await app.decide(id, { decision: 'REJECT' })).toBe('APPROVAL_ALREADY_RESOLVED')
    expect(await again(made)).toMatchObject({ state: 'APPROVED' })
  })

  it('[P9] takes a ticket to approve, and keeps none of who rejects', async () => {
    const { id, request: made } = await asked()
    await expect(app.decide(id, { ticket: null })).rejects.toMatchObject({ code: '23514' })
    expect(await app.decide(id, { decision: 'REJECT' })).toBe('OK')
    expect(await again(made)).toMatchObject({ state: 'REJECTED', proof: null })
    expect(await approvals().use(id, txn)).toBe(false)
  })

  it('[P9] of many at once is done by one', async () => {
    const { id } = await asked()
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) => app.decide(id, { decision: index % 2 ? 'APPROVE' : 'REJECT' })),
    )
    expect(outcomes.filter((outcome) => outcome === 'OK')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'APPROVAL_ALREADY_RESOLVED')).toHaveLength(19)
  })

  it('[P9] ends with the time for it', async () => {
    const { id, request: made } = await asked()
    await age(id, 'expires_at', '59 minutes')
    expect(await again(made)).toMatchObject({ state: 'PENDING' })
    await age(id, 'expires_at', '1 minute')
    expect(await again(made)).toMatchObject({ state: 'EXPIRED' })
    expect(await app.decide(id)).toBe('APPROVAL_EXPIRED')
  })

  it.each([
    ['the delegation', (id: string) => ({ kind: 'delegation', delegation: id }) as const],
    ['the session', () => ({ kind: 'session', issuer: grant.issuer, session: 'sid-1' }) as const],
    ['the user', () => ({ kind: 'subject', issuer: null, subject: 'usr_ada' }) as const],
  ])('[P9] [P11] ends when %s does, be the delegation over or not', async (_what, revoked) => {
    await trust.admin.query(
      `insert into subject (issuer, sub, subject, tenant) values ('${grant.issuer}', 'ada', 'usr_ada', 'acme')`,
    )
    const [pending, approved, spared] = [
      await asked(),
      await asked(),
      await asked({}, { subject: 'usr_ben', session: 'sid-2' }),
    ]
    expect(await app.decide(approved.id)).toBe('OK')
    for (const { delegation } of [pending, approved]) await trust.authority.revoke(revoked(delegation.id), 'LOGOUT')
    for (const { id, request: made } of [pending, approved]) {
      expect(await again(made)).toMatchObject({ state: 'EXPIRED' })
      expect(await approvals().use(id, txn)).toBe(false)
    }
    expect(await app.decide(pending.id)).toBe('DELEGATION_ENDED')
    expect(await again(spared.request)).toMatchObject({ state: 'PENDING' })
  })

  it('[P11] ends what was asked under a delegation that a person ends', async () => {
    const { id, delegation, request: made } = await asked()
    await app.as(ada, `update authority.delegation set revoked_at = now() where id = '${delegation.id}'`)
    expect(await again(made)).toMatchObject({ state: 'EXPIRED' })
    expect(await app.decide(id)).toBe('DELEGATION_ENDED')
  })
})

describe('using', () => {
  it('[P9] takes what was approved, once', async () => {
    const { id, request: made } = await asked()
    expect(await approvals().use(id, txn)).toBe(false)
    await app.decide(id)
    const used = await Promise.all(Array.from({ length: 50 }, () => approvals().use(id, txn)))
    // All of them are the same call, which takes effect once.
    expect(new Set(used)).toEqual(new Set([true]))
    expect((await events()).filter(({ what }) => what === 'approval.used')).toHaveLength(1)
    expect(await again(made)).toMatchObject({ state: 'USED' })
  })

  it('[P9] [P13] may be repeated by its call for a while, and then is over', async () => {
    const { id } = await asked()
    await app.decide(id)
    expect(await approvals().use(id, txn)).toBe(true)
    await age(id, 'used_at', '14 minutes')
    expect(await approvals().use(id, txn)).toBe(true)
    await age(id, 'used_at', '1 minute')
    expect(await approvals().use(id, txn)).toBe(false)
  })

  it('[P9] ends with the time for it', async () => {
    const { id, request: made } = await asked()
    await app.decide(id)
    await age(id, 'expires_at', '15 minutes')
    expect(await approvals().use(id, txn)).toBe(false)
    expect(await again(made)).toMatchObject({ state: 'EXPIRED' })
  })

  it('is not up to the gateway without a decision: no grant lets it decide', async () => {
    const { id } = await asked()
    const gateway = new (await import('pg')).default.Client({ connectionString: trust.url })
    await gateway.connect()
    for (const change of [
      "decision = 'APPROVE'",
      "ticket = 'x'",
      "expires_at = now() + interval '1 day'",
      "arguments_hash = 'x'",
    ])
      await expect(gateway.query(`update authority.approval set ${change} where id = '${id}'`)).rejects.toMatchObject({
        code: '42501',
      })
    await expect(
      gateway.query(`update authority.approval set used_at = now() where id = '${id}'`),
    ).rejects.toMatchObject({ code: '42501' })
    await gateway.end()
  })

  it('[P9] records what was asked, decided and used, in the transaction of it', async () => {
    const { id } = await asked()
    await app.decide(id)
    await approvals().use(id, txn)
    const { id: other } = await asked()
    await app.decide(other, { decision: 'REJECT' })
    expect(await events()).toEqual([
      {
        what: 'approval.asked',
        outcome: 'OK',
        actor: 'assistant',
        target: id,
        txn: '01980f6e-2222-7abc-8def-0123456789ab',
      },
      {
        what: 'approval.resolved',
        outcome: 'OK',
        actor: null,
        target: id,
        txn: '01980f6e-3333-7abc-8def-0123456789ab',
      },
      { what: 'approval.used', outcome: 'OK', actor: 'assistant', target: id, txn },
      {
        what: 'approval.asked',
        outcome: 'OK',
        actor: 'assistant',
        target: other,
        txn: '01980f6e-2222-7abc-8def-0123456789ab',
      },
      {
        what: 'approval.resolved',
        outcome: 'APPROVAL_REJECTED',
        actor: null,
        target: other,
        txn: '01980f6e-3333-7abc-8def-0123456789ab',
      },
    ])
  })
})
