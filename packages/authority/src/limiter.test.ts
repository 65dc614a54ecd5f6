import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { authorityMigrations } from './index.ts'
import { createLimiter } from './limiter.ts'

let database: TestDatabase
let url: string
let admin: pg.Client
const open: { close(): Promise<void> }[] = []

/** A replica; a machine under load must not look like a database that does not answer. */
function replica(options: { url?: string; onFallback?: (cause: unknown) => void; timeoutMs?: number } = {}) {
  const limiter = createLimiter({ url, timeoutMs: 20_000, onFallback: (cause) => fallbacks.push(cause), ...options })
  open.push(limiter)
  return limiter
}
type Replica = ReturnType<typeof replica>
let fallbacks: unknown[] = []

beforeAll(async () => {
  database = await testDatabase()
  url = await database.provision('gateway', authorityMigrations, 'authority')
  admin = new pg.Client({ connectionString: database.url, options: '-c search_path=authority' })
  await admin.connect()
})
beforeEach(async () => {
  fallbacks = []
  await admin.query('truncate rate_limit')
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(async () => {
  vi.useRealTimers()
  for (const each of open.splice(0)) await each.close()
})
afterAll(async () => {
  await admin.end()
  await database.close()
})

const small = { name: 'user.small', points: 10, seconds: 60 }
const large = { name: 'user.requests', points: 1000, seconds: 60 }
const taken = async (limit: { name: string }, key: string) =>
  (await admin.query('select points from rate_limit where key = $1', [`${limit.name}:${key}`])).rows[0]?.points ?? 0

/** How many of these attempts are granted, one after the other or all at once. */
async function grantedOf(attempts: number, take: (index: number) => ReturnType<Replica['take']>, atOnce = false) {
  const answers = []
  for (let index = 0; index < attempts; index++) answers.push(atOnce ? take(index) : await take(index))
  return (await Promise.all(answers.map(async (answer) => answer))).filter(({ ok }) => ok).length
}

describe('[P15] a limit', () => {
  it('is exact across replicas where it is small', async () => {
    const [one, two] = [replica(), replica()]
    expect(await grantedOf(30, (index) => (index % 2 === 0 ? one : two).take(small, 'usr_ada', 1), true)).toBe(10)
    expect(await one.take(small, 'usr_ada', 1)).toEqual({ ok: false, retryAfterMs: 60_000 })
    expect(await two.take(small, 'usr_ben', 1)).toEqual({ ok: true })
    expect(fallbacks).toEqual([])
  })

  it('is exact on one replica, and at most a lease short on each of several', async () => {
    const replicas = [replica(), replica(), replica()]
    expect(await grantedOf(1100, () => replicas[0]!.take(large, 'usr_ada', 1), true)).toBe(1000)
    const granted = await grantedOf(1100, (index) => replicas[index % 3]!.take(large, 'usr_ben', 1))
    expect(granted).toBeLessThanOrEqual(1000)
    expect(granted).toBeGreaterThanOrEqual(1000 - 3 * 50)
  })

  it('begins anew when its window has passed, and not before', async () => {
    const one = replica()
    await grantedOf(10, () => one.take(small, 'usr_ada', 1))
    vi.advanceTimersByTime(59_000)
    expect(await one.take(small, 'usr_ada', 1)).toEqual({ ok: false, retryAfterMs: 1000 })
    vi.advanceTimersByTime(1000)
    expect(await grantedOf(11, () => one.take(small, 'usr_ada', 1))).toBe(10)
  })

  it('does not give out in one window what was left of the one before', async () => {
    const one = replica()
    await one.take(large, 'usr_ada', 1)
    vi.advanceTimersByTime(60_000)
    await one.take(large, 'usr_ada', 50)
    expect(await taken(large, 'usr_ada')).toBe(50)
  })

  it('is of one name and one key', async () => {
    const one = replica()
    await grantedOf(10, () => one.take(small, 'usr_ada', 1))
    for (const [limit, key] of [
      [small, 'usr_ben'],
      [{ ...small, name: 'tenant.small' }, 'usr_ada'],
    ] as const)
      expect(await one.take(limit, key, 1)).toEqual({ ok: true })
    expect((await one.take(small, 'usr_ada', 1)).ok).toBe(false)
  })

  it('grants many points at once, or none of them', async () => {
    const [one, two] = [replica(), replica()]
    expect(await one.take(large, 'usr_ada', 700)).toEqual({ ok: true })
    expect((await one.take(large, 'usr_ada', 301)).ok).toBe(false)
    // What was taken for it, and could not be given, is still there for less.
    expect(await one.take(large, 'usr_ada', 300)).toEqual({ ok: true })
    expect((await one.take(large, 'usr_ada', 1)).ok).toBe(false)
    expect((await two.take(large, 'usr_ada', 1)).ok).toBe(false)
  })

  it('that never has so many refuses them, and keeps what it has', async () => {
    const one = replica()
    expect(await one.take(small, 'usr_ada', 11)).toEqual({ ok: false, retryAfterMs: 60_000 })
    expect(await taken(small, 'usr_ada')).toBe(0)
    expect(await one.take(small, 'usr_ada', 10)).toEqual({ ok: true })
  })
})

describe('the database', () => {
  it('is asked once for a lease, however many wait for it, and not at all while it lasts', async () => {
    const one = replica()
    const first = Array.from({ length: 50 }, () => one.take(large, 'usr_ada', 1))
    expect(first.every((answer) => answer instanceof Promise)).toBe(true)
    await Promise.all(first.map(async (answer) => answer))
    expect(await taken(large, 'usr_ada')).toBe(50)
    const next = one.take(large, 'usr_ada', 50)
    expect(next).toBeInstanceOf(Promise)
    await next
    expect(await taken(large, 'usr_ada')).toBe(100)
    await one.take(large, 'usr_ada', 1)
    expect(one.take(large, 'usr_ada', 1)).toEqual({ ok: true })
  })

  it('is not asked by a flood beyond the limit', async () => {
    const one = replica()
    await grantedOf(12, () => one.take(small, 'usr_ada', 1))
    const before = await taken(small, 'usr_ada')
    for (let index = 0; index < 1000; index++)
      expect(one.take(small, 'usr_ada', 1)).toEqual({ ok: false, retryAfterMs: 60_000 })
    expect(await taken(small, 'usr_ada')).toBe(before)
  })

  it('holds nothing but the key, points and when they expire, for the role to change', async () => {
    const one = replica()
    await one.take(small, "usr'; drop table rate_limit --", 1)
    expect((await admin.query('select * from rate_limit')).rows).toEqual([
      { key: "user.small:usr'; drop table rate_limit --", points: 1, expire: String(Date.now() + 60_000) },
    ])
    const gateway = new pg.Client({ connectionString: url })
    await gateway.connect()
    await expect(gateway.query('truncate rate_limit')).rejects.toMatchObject({ code: '42501' })
    // As rate-limiter-flexible clears away what expired an hour ago.
    await gateway.query('delete from rate_limit where expire < $1', [Date.now() + 3_600_000])
    await gateway.end()
    expect(await taken(small, "usr'; drop table rate_limit --")).toBe(0)
  })
})

describe('[P15] while the database does not answer', () => {
  /** Between a replica and its database: it can be cut, and be silent. */
  async function wire() {
    const { hostname, port } = new URL(url)
    const sockets = new Set<Socket>()
    let silent = false
    let server: Server
    const listen = (at = 0) =>
      new Promise<number>((resolve) => {
        server = createServer((near) => {
          const far = connect(Number(port), hostname)
          for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined))
          near.on('data', (data) => silent || far.write(data)).on('close', () => far.destroy())
          far.on('data', (data) => silent || near.write(data)).on('close', () => near.destroy())
        })
        server.listen(at, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
      })
    const cut = () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    }
    const through = new URL(url)
    through.port = String(await listen())
    open.push({ close: async () => void (await cut()) })
    return {
      url: through.href,
      cut,
      restore: () => listen(Number(through.port)),
      silence: (now: boolean) => {
        silent = now
      },
    }
  }

  it('each replica counts on its own, and shares again when it is back', async () => {
    const between = await wire()
    const one = replica({ url: between.url })
    expect(await grantedOf(4, () => one.take(small, 'usr_ada', 1))).toBe(4)
    await between.cut()
    expect(await grantedOf(30, () => one.take(small, 'usr_ada', 1), true)).toBe(10)
    expect(await grantedOf(30, () => one.take(small, 'usr_ben', 1))).toBe(10)
    expect(fallbacks).toHaveLength(1)
    expect(await one.take(small, 'usr_ben', 1)).toEqual({ ok: false, retryAfterMs: 60_000 })

    await between.restore()
    vi.advanceTimersByTime(60_000)
    expect(await grantedOf(30, () => one.take(small, 'usr_ben', 1))).toBe(10)
    expect((await replica().take(small, 'usr_ben', 1)).ok).toBe(false)
    expect(fallbacks).toHaveLength(1)
  })

  it('asks it again after a second, and one request does', async () => {
    const between = await wire()
    await between.cut()
    const one = replica({ url: between.url })
    await one.take(small, 'usr_ada', 1)
    await between.restore()
    await one.take(small, 'usr_ben', 1)
    expect(await taken(small, 'usr_ben')).toBe(0)
    vi.advanceTimersByTime(1000)
    const [first, second] = [one.take(small, 'usr_chloe', 1), one.take(small, 'usr_sam', 1)]
    await Promise.all([first, second])
    expect([await taken(small, 'usr_chloe'), await taken(small, 'usr_sam')]).toEqual([1, 0])
    await one.take(small, 'usr_zoe', 1)
    expect(await taken(small, 'usr_zoe')).toBe(1)
  })

  it('does not wait for one that is silent', async () => {
    const between = await wire()
    const one = replica({ url: between.url, timeoutMs: 100 })
    between.silence(true)
    const answers = await Promise.all(['usr_ada', 'usr_ben'].map(async (key) => one.take(small, key, 1)))
    expect(answers).toEqual([{ ok: true }, { ok: true }])
    expect(one.take(small, 'usr_ada', 1)).toEqual({ ok: true })
    expect(fallbacks).toHaveLength(1)
  })

  it('answers after it was closed, and where there is no table', async () => {
    const closed = replica()
    await closed.close()
    expect(await grantedOf(30, () => closed.take(small, 'usr_ada', 1))).toBe(10)
    await admin.query('alter table rate_limit rename to elsewhere')
    const without = replica()
    expect(await grantedOf(30, () => without.take(small, 'usr_ada', 1))).toBe(10)
    await admin.query('alter table elsewhere rename to rate_limit')
    expect(fallbacks).toEqual([expect.any(Error), expect.objectContaining({ code: '42P01' })])
  })
})
