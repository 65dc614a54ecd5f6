import { LRUCache } from 'lru-cache'
import pg from 'pg'
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import type { Limit, Limiter, TakeAnswer } from './authority.ts'

/** What this process may still give out for a key in the window under way. */
interface Purse {
  left: number
  /** When the window ends, in milliseconds since the epoch. */
  until: number
  /** Whether nothing more is to be had in this window. */
  spent: boolean
  filling: Promise<void> | null
}

/** One limit's purses, and where they are filled from. */
interface Counter {
  readonly purses: LRUCache<string, Purse>
  readonly shared: RateLimiterPostgres
  readonly lease: number
}

const keysPerLimit = 50_000
const leasesPerLimit = 20
/** A database that did not answer is asked again after this long, by one request. */
const retryMs = 1000
const granted: TakeAnswer = { ok: true }

/**
 * Counts in fixed windows, which begin with the first point taken. All replicas share them through PostgreSQL, from
 * which each takes points by the lease, a twentieth of a limit, to give them out on its own: a limit below 40 is exact,
 * and of a larger one each replica may leave a lease unused. While the database does not answer, each counts alone.
 *
 * Time is `Date.now`, as it is to rate-limiter-flexible.
 *
 * @param options.onFallback - told when the database no longer answers: once, until it does again.
 */
export function createLimiter(options: {
  readonly url: string
  readonly onFallback?: ((cause: unknown) => void) | undefined
  /** Longer than this, no request waits for the database. Default 500. */
  readonly timeoutMs?: number | undefined
}): Limiter & { close(): Promise<void> } {
  const { url, onFallback, timeoutMs = 500 } = options
  // Its own: a flood is in nobody's way, and what does not answer soon is given up.
  const pool = new pg.Pool({
    connectionString: url,
    max: 4,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  })
  pool.on('error', () => undefined)
  const counters = new Map<string, Counter>()
  /** When the database is asked again; null while it answers. */
  let retryAt: number | null = null
  let closing: Promise<void> | undefined

  function counterOf({ name, points, seconds }: Limit): Counter {
    const known = counters.get(name)
    if (known !== undefined) return known
    const shared = new RateLimiterPostgres({
      storeClient: pool,
      storeType: 'pool',
      schemaName: 'authority',
      tableName: 'rate_limit',
      tableCreated: true,
      // Of all limits: they share the table.
      clearExpiredByTimeout: counters.size === 0,
      keyPrefix: name,
      points,
      duration: seconds,
    })
    const lease = Math.max(1, Math.floor(points / leasesPerLimit))
    const counter: Counter = { purses: new LRUCache({ max: keysPerLimit }), shared, lease }
    counters.set(name, counter)
    return counter
  }

  async function fill(purse: Purse, limit: Limit, counter: Counter, key: string, wanted: number): Promise<void> {
    const taken = await takeShared(counter.shared, key, wanted)
    if (taken === null) {
      // Nobody to share with: the whole limit is this process's.
      refill(purse, limit.points, Date.now() + limit.seconds * 1000)
      purse.spent = true
      return
    }
    // What was taken beyond the limit is not there; the part before it is.
    const beyond = Math.max(0, taken.consumedPoints - limit.points)
    refill(purse, Math.max(0, wanted - beyond), Date.now() + taken.msBeforeNext)
    purse.spent = taken.consumedPoints >= limit.points
  }

  /** Null if the database does not answer. */
  async function takeShared(shared: RateLimiterPostgres, key: string, points: number): Promise<RateLimiterRes | null> {
    if (retryAt !== null) {
      if (Date.now() < retryAt) return null
      retryAt = Date.now() + retryMs
    }
    try {
      const taken = await shared.consume(key, points)
      retryAt = null
      return taken
    } catch (cause) {
      if (cause instanceof RateLimiterRes) {
        retryAt = null
        return cause
      }
      if (retryAt === null) onFallback?.(cause)
      retryAt = Date.now() + retryMs
      return null
    }
  }

  async function takeSoon(
    purse: Purse,
    limit: Limit,
    counter: Counter,
    key: string,
    points: number,
  ): Promise<TakeAnswer> {
    for (;;) {
      const answer = takeNow(purse, points)
      if (answer !== null) return answer
      // Whoever comes meanwhile waits for the same.
      purse.filling ??= fill(purse, limit, counter, key, Math.max(counter.lease, points - purse.left)).finally(() => {
        purse.filling = null
      })
      await purse.filling
    }
  }

  return {
    take(limit, key, points) {
      // Never there, however long one waits, and not worth a window's points.
      if (points > limit.points) return { ok: false, retryAfterMs: limit.seconds * 1000 }
      const counter = counterOf(limit)
      const purse = counter.purses.get(key) ?? { left: 0, until: 0, spent: false, filling: null }
      counter.purses.set(key, purse)
      return takeNow(purse, points) ?? takeSoon(purse, limit, counter, key, points)
    },
    close: () => (closing ??= pool.end()),
  }
}

/** Null if it has to be filled first. */
function takeNow(purse: Purse, points: number): TakeAnswer | null {
  const now = Date.now()
  if (purse.until <= now) refill(purse, 0, 0)
  if (purse.left >= points) {
    purse.left -= points
    return granted
  }
  return purse.spent ? { ok: false, retryAfterMs: purse.until - now } : null
}

/** What is left of the same window stays. */
function refill(purse: Purse, points: number, until: number): void {
  if (purse.until <= Date.now()) Object.assign(purse, { left: 0, spent: false })
  purse.left += points
  purse.until = until
}
