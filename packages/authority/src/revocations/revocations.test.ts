import type { Revoked } from '@behalf/identity'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { grant, openTrust, ticket, type Trust } from '../fixtures.ts'
import type { Authority } from '../index.ts'
import { createFeeds, lockWait, seconds, someone, withinASecond } from './fixtures.ts'

let trust: Trust
let authority: Authority
const feeds = createFeeds()

beforeAll(async () => {
  trust = await openTrust()
  authority = trust.authority
  await authority.start()
})
beforeEach(async () => {
  await trust.clear()
  await trust.admin.query(`insert into subject values ('${grant.issuer}', 'ada', 'usr_ada', 'acme', '{}')`)
})
afterEach(() => feeds.closeAll())
afterAll(() => trust.close())

/** Seconds by which the gateway lets a token be issued in the future. */
const clockTolerance = 5
const rows = async () => (await trust.admin.query('select * from revocation order by sequence')).rows
const ada: Revoked = { kind: 'subject', issuer: null, subject: 'usr_ada' }
describe('[P11] what is ended', () => {
  it('is over on every replica within a second, and what comes after is not', async () => {
    const other = await feeds.start({ url: trust.url })
    const person = await someone(trust)
    expect(await authority.revoke({ kind: 'subject', issuer: null, subject: person.subject }, 'OPERATOR')).toBe(true)
    for (const { revocations } of [authority, other]) {
      await expect.poll(() => revocations.isRevoked(person), withinASecond).toBe(true)
      expect(revocations.isRevoked({ ...person, issuedAt: seconds(7) })).toBe(false)
      expect(revocations.isRevoked(await someone(trust))).toBe(false)
    }
  })

  it('is over though its issuer has a clock that is ahead, by as much as is accepted', async () => {
    const ahead = await trust.redeemed({ issuedAt: seconds(clockTolerance) })
    const later = await trust.redeemed({ issuedAt: seconds(clockTolerance + 3) })
    await authority.revoke(ada, 'OPERATOR')
    const [row] = await rows()
    expect(row.not_before.getTime() - row.created_at.getTime()).toBeGreaterThanOrEqual(clockTolerance * 1000)
    const known = { ...(await someone(trust)), subject: 'usr_ada' }
    await expect.poll(() => authority.revocations.isRevoked(known), withinASecond).toBe(true)
    const issued = (offset: number) => Math.floor(row.created_at.getTime() / 1000) + offset
    expect(authority.revocations.isRevoked({ ...known, issuedAt: issued(clockTolerance) })).toBe(true)
    expect(authority.revocations.isRevoked({ ...known, issuedAt: issued(clockTolerance + 2) })).toBe(false)
    expect(await authority.useDelegation(ahead.handle, ['assistant'])).toBeNull()
    expect(await authority.useDelegation(later.handle, ['assistant'])).not.toBeNull()
  })

  it('is told to whoever wants to know, once, with why', async () => {
    const told: unknown[] = []
    const stop = authority.revocations.onRevoked((revocation) => told.push(revocation))
    await authority.revoke({ kind: 'session', issuer: grant.issuer, session: 'sid-9' }, 'BACK_CHANNEL_LOGOUT')
    await expect.poll(() => told, withinASecond).toHaveLength(1)
    expect(told[0]).toEqual({
      sequence: expect.any(Number),
      revoked: { kind: 'session', issuer: grant.issuer, session: 'sid-9' },
      notBefore: expect.any(Date),
      reason: 'BACK_CHANNEL_LOGOUT',
    })
    stop()
    const before = authority.revocations.age()
    await authority.revoke(ada, 'LOGOUT')
    const known = { ...(await someone(trust)), subject: 'usr_ada' }
    await expect.poll(() => authority.revocations.isRevoked(known), withinASecond).toBe(true)
    expect({ before, told }).toMatchObject({ told: [expect.anything()] })
  })

  it('is known to a process that starts later', async () => {
    const person = await someone(trust)
    await authority.revoke({ kind: 'subject', issuer: person.issuer, subject: person.subject }, 'USER')
    const late = await feeds.start({ url: trust.url })
    expect(late.revocations.isRevoked(person)).toBe(true)
    expect(late.revocations.isRevoked(await someone(trust))).toBe(false)
  })

  it('is nothing where nothing is known of it', async () => {
    const unknown: Revoked[] = [
      { kind: 'subject', issuer: null, subject: 'usr_adaa' },
      { kind: 'subject', issuer: 'https://two.test', subject: 'usr_ada' },
      { kind: 'session', issuer: 'https://two.test', session: 'sid-1' },
      { kind: 'delegation', delegation: 'dlg_unknown' },
    ]
    for (const revoked of unknown) expect(await authority.revoke(revoked, 'OPERATOR')).toBe(false)
    expect(await rows()).toEqual([])
    // Somebody whose record is gone already, but not what they let an agent do.
    await trust.redeemed({ subject: 'usr_gone' })
    expect(await authority.revoke({ kind: 'subject', issuer: null, subject: 'usr_gone' }, 'OPERATOR')).toBe(true)
  })
})

const endings: [
  string,
  Revoked,
  { readonly session?: string; readonly issuedAt?: number; readonly subject?: string },
][] = [
  ['subject', ada, { issuedAt: seconds(3600) }],
  ['subject with its issuer', { kind: 'subject', issuer: grant.issuer, subject: 'usr_ada' }, { subject: 'usr_ben' }],
  ['session', { kind: 'session', issuer: grant.issuer, session: 'sid-1' }, { session: 'sid-2' }],
]
describe.each(endings)('[P11] with its %s', (_what, revoked, unlike) => {
  it('a delegation ends at once, on a replica that has heard of nothing, and another does not', async () => {
    const ended = await trust.redeemed()
    const other = await trust.redeemed(unlike)
    await authority.revoke(revoked, 'OPERATOR')
    await trust.elsewhere(async (deaf) => {
      expect(deaf.revocations.age()).toBe(Infinity)
      expect(await deaf.useDelegation(ended.handle, ['assistant'])).toBeNull()
      expect(await deaf.useDelegation(other.handle, ['assistant'])).not.toBeNull()
    })
    const shown = await trust.admin.query('select id, revocation_reason from delegation where revoked_at is not null')
    expect(shown.rows).toEqual([{ id: ended.delegation.id, revocation_reason: 'OPERATOR' }])
  })

  it('a delegation ends even if it was being made meanwhile', async () => {
    const { handle, delegation } = await trust.redeemed()
    await authority.revoke(revoked, 'OPERATOR')
    // As if it had not been seen when the others were ended.
    await trust.admin.query(`update delegation set revoked_at = null where id = '${delegation.id}'`)
    expect(await authority.useDelegation(handle, ['assistant'])).toBeNull()
    await trust.admin.query('delete from revocation')
    expect(await authority.useDelegation(handle, ['assistant'])).not.toBeNull()
  })

  it('a ticket ends', async () => {
    const [shown, another] = [ticket(), ticket({ grant: { ...grant, ...unlike } })]
    await authority.revoke(revoked, 'OPERATOR')
    expect(await authority.redeemTicket(shown)).toBeNull()
    expect(await authority.redeemTicket(another)).not.toBeNull()
  })
})

describe('[P11] a delegation', () => {
  it('is ended once, and stays ended', async () => {
    const { handle, delegation } = await trust.redeemed()
    const other = await trust.redeemed()
    const revoked: Revoked = { kind: 'delegation', delegation: delegation.id }
    expect(await authority.revoke(revoked, 'USER')).toBe(true)
    expect(await authority.useDelegation(handle, ['assistant'])).toBeNull()
    expect(await authority.useDelegation(other.handle, ['assistant'])).not.toBeNull()
    expect(await authority.revoke(revoked, 'USER')).toBe(false)
    expect(await rows()).toMatchObject([{ delegation: delegation.id, subject: null, session: null, reason: 'USER' }])
    const known = { ...(await someone(trust)), delegation: delegation.id }
    await expect.poll(() => authority.revocations.isRevoked(known), withinASecond).toBe(true)

    const gateway = new pg.Client({ connectionString: trust.url })
    await gateway.connect()
    expect((await gateway.query('update delegation set revoked_at = null where revoked_at is not null')).rowCount).toBe(
      0,
    )
    expect((await gateway.query('delete from revocation')).rowCount).toBe(0)
    await gateway.end()
    expect(await authority.useDelegation(handle, ['assistant'])).toBeNull()
  })
})

describe('[P11] the order of revocations', () => {
  const begun = async () => {
    const client = new pg.Client({ connectionString: trust.url })
    await client.connect()
    await client.query('begin')
    return client
  }
  const insert = (client: pg.Client, session: string) =>
    client.query(
      `insert into revocation (issuer, session, reason) values ('i', '${session}', 'OPERATOR') returning sequence`,
    )
  it('is that in which they are seen: who reads after the last one misses none that commits late', async () => {
    const feed = await feeds.start({ url: trust.url })
    const early = { ...(await someone(trust)), issuer: 'i', session: 'early' }
    const [first, second] = [await begun(), await begun()]
    const one = (await insert(first, 'early')).rows[0].sequence
    const two = insert(second, 'late')
    await lockWait(trust)
    // A number that was given while the first was open would be read here, and the first never.
    const { rowCount } = await trust.admin.query('select from revocation')
    expect(rowCount).toBe(0)
    await first.query('commit')
    expect(BigInt((await two).rows[0].sequence)).toBeGreaterThan(BigInt(one))
    await expect.poll(() => feed.revocations.isRevoked(early), withinASecond).toBe(true)
    expect(feed.revocations.isRevoked({ ...early, session: 'late' })).toBe(false)
    await second.query('commit')
    await expect.poll(() => feed.revocations.isRevoked({ ...early, session: 'late' }), withinASecond).toBe(true)
    await Promise.all([first.end(), second.end()])
  })

  it('is not given away: without the turn nothing is revoked', async () => {
    const revoked: Revoked = { kind: 'session', issuer: grant.issuer, session: 'sid-1' }
    await trust.admin.query('delete from revocation_turn')
    await expect(authority.revoke(revoked, 'OPERATOR')).rejects.toMatchObject({ code: '42501' })
    await trust.admin.query('insert into revocation_turn default values')
    expect(await authority.revoke(revoked, 'OPERATOR')).toBe(true)
  })

  it('is not held up by a transaction that has ended a delegation and is at something else', async () => {
    const { delegation } = await trust.redeemed()
    const slow = await begun()
    await slow.query(`update delegation set revoked_at = now() where id = '${delegation.id}'`)
    expect(await authority.revoke({ kind: 'session', issuer: grant.issuer, session: 'sid-1' }, 'OPERATOR')).toBe(true)
    await slow.query('commit')
    await slow.end()
    expect((await rows()).map((row) => row.delegation ?? row.session)).toEqual(['sid-1', delegation.id])
  })
})

it('[P14] what is ended is recorded together with its end, once for each delegation that ends with it', async () => {
  const { delegation } = await trust.redeemed()
  await authority.revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' }, 'OPERATOR')
  await authority.revoke({ kind: 'delegation', delegation: delegation.id }, 'USER')
  const recorded = await trust.admin.query(
    `select what, source, subject, target, parent, detail->>'reason' as reason from behalf.audit_event
     where what in ('revoked', 'delegation.revoked') order by what desc`,
  )
  const one = { source: 'gateway', subject: 'usr_ada', reason: 'OPERATOR' }
  expect(recorded.rows).toEqual([
    { ...one, what: 'revoked', target: 'subject', parent: null },
    { ...one, what: 'delegation.revoked', target: delegation.id, parent: grant.parent },
  ])
})

it('a revocation is of one kind', async () => {
  const insert = (columns: string, values: string) =>
    trust.admin.query(`insert into revocation (${columns}, reason) values (${values}, 'USER')`)
  for (const [columns, values] of [
    ['issuer', `'i'`],
    ['subject, session', `'s', 't'`],
    ['session', `'s'`],
    ['issuer, delegation', `'i', 'd'`],
    ['subject', `''`],
  ] as const)
    await expect(insert(columns, values)).rejects.toMatchObject({ code: '23514' })
  await insert('issuer, session', `'i', 's'`)
})
