import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ada, type App, hashOf, openApp, request } from './approval-fixture.ts'
import { grant, openTrust, type Trust } from './fixtures.ts'

let trust: Trust
let app: App
beforeAll(async () => {
  trust = await openTrust()
  app = await openApp(trust)
  await trust.authority.start()
})
beforeEach(() => trust.clear())
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await trust.close()
})

const approvals = () => trust.authority.approvals
const agents = ['assistant']
async function asked() {
  const { handle, delegation } = await trust.redeemed()
  const stored = await approvals().ask(request(delegation.id))
  if (stored === null) throw new Error('nothing was asked')
  return { handle, delegation, id: stored.id }
}
const expire = (id: string) =>
  trust.admin.query(
    `update delegation set created_at = now() - interval '1 hour', expires_at = now() - interval '1 minute' where id = '${id}'`,
  )
const use = (handle: string) => trust.authority.useDelegation(handle, agents)

describe('[P9] [P11] what a user approves', () => {
  it('renews a delegation, over or not, with the rights of that moment', async () => {
    const { handle, delegation, id } = await asked()
    expect(await approvals().renewable(handle, agents)).toBeNull()
    await expire(delegation.id)
    expect(await use(handle)).toBeNull()
    await app.decide(id)
    expect(await use(handle)).toBeNull()
    const proof = await approvals().renewable(handle, agents)
    expect(proof).toMatchObject({
      delegation: delegation.id,
      subject: 'usr_ada',
      agent: 'assistant',
      resolver: app.role,
    })
    if (proof === null) return
    const now = { ...grant, scopes: ['orders:write'], session: 'sid-2', issuedAt: grant.issuedAt + 60 }
    await approvals().renew(proof, now)
    const renewed = await use(handle)
    expect(renewed).toMatchObject({ id: delegation.id, scopes: ['orders:write'], session: 'sid-2' })
    expect(renewed?.expiresAt.getTime()).toBe(proof.resolvedAt.getTime() + 900_000)
    expect(await approvals().renewable(handle, agents)).toBeNull()
    const { rows } = await trust.admin.query(
      `select detail ->> 'renewed' as renewed from behalf.audit_event where what = 'delegation.made' order by id`,
    )
    expect(rows).toEqual([{ renewed: null }, { renewed: 'true' }])
  })

  it('is seen when the delegation is used, as long as it would renew it', async () => {
    const { handle, id } = await asked()
    expect(await use(handle)).toMatchObject({ isRenewable: false })
    await app.decide(id)
    expect(await use(handle)).toMatchObject({ isRenewable: true })
    const proof = await approvals().renewable(handle, agents)
    if (proof === null) throw new Error('nothing to renew it with')
    await approvals().renew(proof, grant)
    expect(await use(handle)).toMatchObject({ isRenewable: false })
  })

  it.each([
    ['of somebody else', { subject: 'usr_ben' }],
    ['of another tenant', { tenant: 'globex' }],
    ['for another agent', { agent: 'other' }],
  ])('renews nothing by a grant %s', async (_what, change) => {
    const { handle, delegation, id } = await asked()
    await expire(delegation.id)
    await app.decide(id)
    const proof = await approvals().renewable(handle, agents)
    if (proof === null) throw new Error('nothing would renew it')
    await approvals().renew(proof, { ...grant, ...change })
    expect(await use(handle)).toBeNull()
    await approvals().renew(proof, grant)
    expect(await use(handle)).not.toBeNull()
  })

  it('renews nothing that was ended, or by what was', async () => {
    const [one, other] = [await asked(), await asked()]
    const proofs = []
    for (const { id, handle, delegation } of [one, other]) {
      await expire(delegation.id)
      await app.decide(id)
      proofs.push(await approvals().renewable(handle, agents))
    }
    const [first, second] = proofs
    if (!first || !second) throw new Error('nothing would renew it')
    await trust.admin.query(`update delegation set revoked_at = now() where id = '${one.delegation.id}'`)
    expect(await approvals().renewable(one.handle, agents)).toBeNull()
    await approvals().renew(first, grant)
    expect(await use(one.handle)).toBeNull()
    await trust.admin.query(
      `insert into revocation (issuer, session, reason) values ('${grant.issuer}', 'sid-9', 'LOGOUT')`,
    )
    await approvals().renew(second, { ...grant, session: 'sid-9' })
    expect(await use(other.handle)).toBeNull()
    await approvals().renew(second, grant)
    expect(await use(other.handle)).not.toBeNull()
  })

  it('is not renewed by a rejection, nor for another agent', async () => {
    const { handle, delegation, id } = await asked()
    await expire(delegation.id)
    await app.decide(id, { decision: 'REJECT' })
    expect(await approvals().renewable(handle, agents)).toBeNull()
    const { handle: approved, delegation: its, id: theirs } = await asked()
    await expire(its.id)
    await app.decide(theirs)
    expect(await approvals().renewable(approved, ['other'])).toBeNull()
    expect(await approvals().renewable(approved, agents)).not.toBeNull()
  })
})

describe('[P9] what was resolved', () => {
  const never = new AbortController().signal
  it('is told to whoever waits, on every replica, in its order', async () => {
    const [one, other, ended] = [await asked(), await asked(), await asked()]
    const waiting = approvals().resolved(0, agents, never)
    await app.decide(one.id)
    const [first] = await waiting
    expect(first).toMatchObject({ approval: one.id, run: 'run_1', state: 'APPROVED' })
    await app.decide(other.id, { decision: 'REJECT' })
    await trust.authority.revoke({ kind: 'delegation', delegation: ended.delegation.id }, 'OPERATOR')
    const rest = await trust.elsewhere((replica) => replica.approvals.resolved(first?.sequence ?? 0, agents, never))
    expect(rest.map(({ approval, state }) => [approval, state])).toEqual([
      [other.id, 'REJECTED'],
      [ended.id, 'EXPIRED'],
    ])
  })

  it('is not told of other agents, and whoever no longer waits is let go', async () => {
    const { id } = await asked()
    await app.decide(id)
    const gone = new AbortController()
    const waiting = approvals().resolved(0, ['other'], gone.signal)
    gone.abort()
    expect(await waiting).toEqual([])
    expect(await approvals().resolved(0, agents, never)).toHaveLength(1)
  })

  it('[P9] cannot be decided twice by the app, whatever it writes', async () => {
    const { id } = await asked()
    await app.decide(id)
    const refused = { code: '42501' }
    for (const change of [
      "decision = 'REJECT', ticket = null",
      "ticket = 'another'",
      "resolved_in = '01980f6e-9999-7abc-8def-0123456789ab'",
    ])
      await expect(app.as(ada, `update authority.approval set ${change} where id = '${id}'`)).rejects.toMatchObject(
        refused,
      )
    for (const change of [
      "expires_at = now() + interval '1 day'",
      `arguments_hash = '${hashOf('x')}'`,
      'used_at = now()',
    ])
      await expect(app.as(ada, `update authority.approval set ${change} where id = '${id}'`)).rejects.toMatchObject(
        refused,
      )
  })
})
