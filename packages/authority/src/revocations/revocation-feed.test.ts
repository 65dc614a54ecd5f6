import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { openTrust, type Trust } from '../fixtures.ts'
import type { Authority } from '../index.ts'
import { again, createFeeds, freezingProxy, lockRevocations, lockWait, someone, withinASecond } from './fixtures.ts'
import { createRevocationFeed } from './revocation-feed.ts'

let trust: Trust
let authority: Authority
const feeds = createFeeds()

beforeAll(async () => {
  trust = await openTrust()
  authority = trust.authority
})
beforeEach(() => trust.clear())
afterEach(() => feeds.closeAll())
afterAll(() => trust.close())

const rows = async () => (await trust.admin.query('select * from revocation order by sequence')).rows

describe('[P11] what a process knows', () => {
  it('is as old as the beginning of its last reading, and unknown before the first', async () => {
    let now = 1000
    const feed = createRevocationFeed({ url: trust.url, pollMs: 3_600_000, clock: () => now })
    expect(feed.revocations.age()).toBe(Infinity)
    await feed.start()
    expect(feed.revocations.age()).toBe(0)
    now += 7000
    expect(feed.revocations.age()).toBe(7000)
    await feed.close()
  })

  it('is not younger for a reading that took long', again, async () => {
    await using lock = await lockRevocations(trust)
    const starting = feeds.start({ url: trust.url })
    starting.catch(() => undefined)
    await lockWait(trust)
    const held = performance.now()
    await expect.poll(() => performance.now() - held, { interval: 10 }).toBeGreaterThan(100)
    await lock.release()
    expect((await starting).revocations.age()).toBeGreaterThan(100)
  })

  it('is not fresh because it asks: a reading that hangs does not count, and what it waited for is caught up with', async () => {
    const feed = await feeds.start({ url: trust.url })
    const person = await someone(trust)
    await using lock = await lockRevocations(trust)
    await expect.poll(() => feed.revocations.age(), { timeout: 10_000 }).toBeGreaterThan(2000)
    await lock.release()
    await authority.revoke({ kind: 'subject', issuer: null, subject: person.subject }, 'OPERATOR')
    await expect.poll(() => feed.revocations.isRevoked(person), { timeout: 3000 }).toBe(true)
    expect(feed.revocations.age()).toBeLessThan(2000)
  })

  it('is read on another connection where nobody is at the end of this one any more', async () => {
    const proxy = await freezingProxy(trust.url)
    const feed = await feeds.start({ url: proxy.url })
    const person = await someone(trust)
    proxy.freeze()
    await authority.revoke({ kind: 'subject', issuer: null, subject: person.subject }, 'OPERATOR')
    await expect.poll(() => feed.revocations.isRevoked(person), { timeout: 5000 }).toBe(true)
    await expect.poll(() => feed.revocations.age(), { timeout: 5000 }).toBeLessThan(1000)
    await proxy.close()
  })

  it('comes without polling, by a notification that is not believed', async () => {
    const feed = await feeds.start({ url: trust.url, pollMs: 3_600_000 })
    const person = await someone(trust)
    await trust.admin.query(`notify behalf_revocation, '999999999'; notify behalf_revocation, 'drop table'`)
    await authority.revoke({ kind: 'subject', issuer: null, subject: person.subject }, 'OPERATOR')
    await expect.poll(() => feed.revocations.isRevoked(person), withinASecond).toBe(true)
  })

  it('comes without a notification, within a second', again, async () => {
    const feed = await feeds.start({ url: trust.url })
    const person = await someone(trust)
    await trust.admin.query('alter table revocation disable trigger announce')
    onTestFinished(async () => void (await trust.admin.query('alter table revocation enable trigger announce')))
    await authority.revoke({ kind: 'subject', issuer: null, subject: person.subject }, 'OPERATOR')
    await expect.poll(() => feed.revocations.isRevoked(person), withinASecond).toBe(true)
  })

  it('comes within a second after all its connections were cut', again, async () => {
    const feed = await feeds.start({ url: trust.url })
    const person = await someone(trust)
    await trust.admin.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and usename = 'gateway'`)
    // Whoever ends somebody has lost their own connection, too, and may notice only now.
    const end = () => authority.revoke({ kind: 'subject', issuer: null, subject: person.subject }, 'OPERATOR')
    await expect.poll(() => end().catch(() => false)).toBe(true)
    await expect.poll(() => feed.revocations.isRevoked(person), withinASecond).toBe(true)
  })

  it('is more than one page', async () => {
    await trust.admin.query(`insert into revocation (issuer, session, reason)
      select 'i', 'many-' || n, 'OPERATOR' from generate_series(1, 12000) n`)
    const feed = await feeds.start({ url: trust.url })
    const isRevoked = (session: string) =>
      feed.revocations.isRevoked({ issuer: 'i', subject: 'usr_ada', session, issuedAt: null, delegation: null })
    for (const n of [1, 5000, 5001, 12000]) expect(isRevoked(`many-${n}`)).toBe(true)
    expect(isRevoked('many-12001')).toBe(false)
  })
})

it('a revocation is kept for longer than any token lives, and cleared away after that', async () => {
  const { subject } = await someone(trust)
  await authority.revoke({ kind: 'subject', issuer: null, subject }, 'OPERATOR')
  const [row] = await rows()
  expect(row.expires_at.getTime() - row.created_at.getTime()).toBe(25 * 3_600_000)
  await trust.admin.query(`insert into revocation (issuer, session, reason, expires_at)
    values ('i', 'old', 'OPERATOR', now() - interval '1 second')`)
  expect(await rows()).toHaveLength(2)
  await feeds.start({ url: trust.url })
  expect(await rows()).toMatchObject([{ subject }])
})
