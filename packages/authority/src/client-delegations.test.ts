import type { DelegationGrant } from '@behalf/identity'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ada, openApp, type App } from './approval-fixture.ts'
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

const now = () => Math.floor(Date.now() / 1000)
/** Of a token that was issued just now, after a sign-in long ago. */
const token = (change: Partial<DelegationGrant> = {}): DelegationGrant => ({
  ...grant,
  client: 'some-client',
  agent: 'some-client',
  authTime: now() - 3600,
  issuedAt: now(),
  ...change,
})
const shown = (change: Partial<DelegationGrant> = {}) => trust.authority.delegateToClient(token(change))
const rows = async () =>
  (await trust.admin.query('select id, handle_hash, scopes, last_used_at from delegation order by created_at'))
    .rows as {
    id: string
  }[]
/** As a user does it. */
const end = (id: string) => app.as(ada, 'update authority.delegation set revoked_at = now() where id = $1', [id])
const inTheFuture = { authTime: now() + 60, issuedAt: now() + 60 }

describe('[P11] a client that shows a token', () => {
  it('has one delegation of each user, which they see, whoever asks at once', async () => {
    const [first, ...others] = await Promise.all(Array.from({ length: 8 }, () => shown()))
    expect(first).toMatchObject({
      agent: 'some-client',
      client: 'some-client',
      subject: 'usr_ada',
      scopes: grant.scopes,
    })
    expect(new Set(others.map((other) => other?.id))).toEqual(new Set([first?.id]))
    expect(await rows()).toMatchObject([{ id: first?.id, handle_hash: null, last_used_at: expect.any(Date) }])
    const { rows: seen } = await app.as(ada, 'select id, agent, client, revoked_at from authority.delegation')
    expect(seen).toEqual([{ id: first?.id, agent: 'some-client', client: 'some-client', revoked_at: null }])

    for (const change of [
      { subject: 'usr_ben' },
      { client: 'other' },
      { agent: 'other' },
      { issuer: 'https://other.test' },
    ])
      expect((await shown(change))?.id).not.toBe(first?.id)
    expect(await rows()).toHaveLength(5)
  })

  it('keeps it with another token, and what it may do is what was granted last', async () => {
    const first = await shown({ issuedAt: now() - 100 })
    expect(await shown({ scopes: ['chat:write'] })).toMatchObject({ id: first?.id, scopes: ['chat:write'] })
    // An earlier token that is still good: its own scopes are for whoever verified it.
    expect(await shown({ issuedAt: now() - 100 })).toMatchObject({ id: first?.id, scopes: ['chat:write'] })
    // More in the same second.
    expect(await shown({ scopes: ['chat:write', 'x'] })).toMatchObject({ id: first?.id, scopes: ['chat:write', 'x'] })
    const { rows: events } = await trust.admin.query(
      "select detail ->> 'renewed' as renewed from behalf.audit_event order by at",
    )
    expect(events).toEqual([{ renewed: null }, { renewed: 'true' }, { renewed: 'true' }])
  })

  it('has none any more once the user ended it, whatever token it renews, until they sign in for it again', async () => {
    const first = await shown()
    await end(first?.id ?? '')
    expect(await shown()).toBeNull()
    expect(await shown({ issuedAt: now() + 60 })).toBeNull()
    expect(await shown({ authTime: null, issuedAt: now() })).toBeNull()
    expect(await trust.elsewhere((other) => other.delegateToClient(token()))).toBeNull()
    // What is another's stays.
    expect(await shown({ client: 'other' })).not.toBeNull()
    const again = await shown(inTheFuture)
    expect(again?.id).toMatch(/^dlg_/)
    expect(again?.id).not.toBe(first?.id)
    // With a new one in force, what was issued before it is not good again.
    expect(await shown()).toBeNull()
    expect((await shown({ ...inTheFuture }))?.id).toBe(again?.id)
  })

  it('where no sign-in is named, has one again with a token that was issued since', async () => {
    const first = await shown({ authTime: null })
    await end(first?.id ?? '')
    expect(await shown({ authTime: null })).toBeNull()
    expect(await shown({ authTime: null, issuedAt: now() + 60 })).not.toBeNull()
  })

  it('is ended by an operator in the same way', async () => {
    const first = await shown()
    expect(await trust.authority.revoke({ kind: 'delegation', delegation: first?.id ?? '' }, 'OPERATOR')).toBe(true)
    expect(await shown()).toBeNull()
    expect(await shown(inTheFuture)).not.toBeNull()
  })

  it('of a session that ended has none; of another session of the same user it has', async () => {
    await trust.admin.query("insert into subject values ($1, 'ada', 'usr_ada', 'acme')", [grant.issuer])
    const first = await shown()
    await trust.authority.revoke({ kind: 'session', issuer: grant.issuer, session: 'sid-1' }, 'LOGOUT')
    expect(await shown()).toBeNull()
    expect(await shown({ issuedAt: now() + 60 })).toBeNull()
    const other = await shown({ session: 'sid-2' })
    expect(other).not.toBeNull()
    expect(other?.id).not.toBe(first?.id)
  })

  it('that is ended while it comes back has none', async () => {
    const first = await shown()
    const outcomes = await Promise.all([
      end(first?.id ?? ''),
      ...Array.from({ length: 8 }, (_, index) => shown({ scopes: [`s${index}`] })),
    ])
    expect(outcomes).toHaveLength(9)
    const { rows: left } = await trust.admin.query('select id from delegation where revoked_at is null')
    expect(left).toEqual([])
  })

  it('cannot be acted for by a handle', async () => {
    await shown()
    for (const handle of ['', 'null', 'some-client'])
      expect(await trust.authority.useDelegation(handle, ['some-client'])).toBeNull()
  })
})

describe('the id of a call that has none', () => {
  const hash = 'h'.repeat(43)
  const other = 'i'.repeat(43)
  const asked = { argumentsHash: hash }
  const ask = (delegation: string, call: string) =>
    trust.authority.approvals.ask({
      ...asked,
      tool: 'cancel_order',
      delegation,
      call,
      run: 'mcp',
      toolVersion: 'v1',
      summary: 'Cancel',
      txn: '01980f6e-2222-7abc-8def-0123456789ab',
    })
  const standing = (delegation: string, change: object = {}) =>
    trust.authority.approvals.standing({ delegation, ...asked, ...change })
  const set = (change: string) =>
    trust.admin.query(`alter table approval disable trigger change_approval;
    update approval set ${change}; alter table approval enable trigger change_approval`)

  it.each([
    ['is asked for', 'used_at = null', true],
    ['was approved', "decision = 'APPROVE', ticket = 't', resolver = 'app', resolved_at = now()", true],
    ['was rejected', "decision = 'REJECT', resolver = 'app', resolved_at = now()", true],
    [
      'was rejected an hour ago',
      "decision = 'REJECT', resolver = 'app', resolved_at = now(), expires_at = now() - interval '1 second'",
      false,
    ],
    ['was used', "decision = 'APPROVE', ticket = 't', resolver = 'app', resolved_at = now(), used_at = now()", true],
    [
      'was used 15 minutes ago',
      "decision = 'APPROVE', ticket = 't', resolver = 'app', resolved_at = now(), used_at = now() - interval '16 minutes'",
      false,
    ],
    ['was not decided in time', "expires_at = now() - interval '1 second'", false],
  ])('[P9] is that of an equal one that %s, or not', async (_state, change, stands) => {
    const { id = '' } = (await shown()) ?? {}
    const first = await standing(id)
    expect(first).toMatch(/^[\w-]{1,64}$/)
    expect(await standing(id)).toBe(first)
    await ask(id, first)
    await set(change)
    expect((await standing(id)) === first).toBe(stands)
    expect(await standing(id, { argumentsHash: other })).not.toBe(first)
    const { id: ofBen = '' } = (await shown({ subject: 'usr_ben' })) ?? {}
    expect(await standing(ofBen)).toBe(first)
    if (stands) return
    // One after another, each its own.
    const second = await standing(id)
    await ask(id, second)
    expect(await standing(id)).toBe(second)
  })
})
