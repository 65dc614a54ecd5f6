import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { metrics } from '@opentelemetry/api'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { auditEvent } from '../fixtures/audit-events.ts'
import { openShop } from '../fixtures/shop.ts'
import { createAuditWriter } from './audit-writer.ts'

/** A pool that writes down what it is sent, unless it is told to fail. */
function createPool() {
  const batches: string[][] = []
  const pool = {
    batches,
    attempts: 0,
    failure: null as Error | null,
    /** Targets that the database refuses. */
    refused: new Set<string>(),
    async query(_text: string, [json]: [string]) {
      pool.attempts++
      if (pool.failure) throw pool.failure
      const targets = (JSON.parse(json) as { target: string }[]).map(({ target }) => target)
      if (targets.some((target) => pool.refused.has(target)))
        throw Object.assign(new pg.DatabaseError('refused', 1, 'error'), { code: '22P05' })
      batches.push(targets)
    },
  }
  return pool
}

let pool: ReturnType<typeof createPool>
const open = () => createAuditWriter(pool as unknown as pg.Pool)
const numbered = (count: number, first = 0) =>
  Array.from({ length: count }, (_, i) => auditEvent({ target: `${first + i}` }))
const written = () => pool.batches.flat()

beforeEach(() => {
  vi.useFakeTimers()
  pool = createPool()
})
afterEach(() => vi.useRealTimers())

describe('[P14] the audit writer', () => {
  it('measures what waits and what is lost, as docs/reference/metrics.md has it', async () => {
    const made: string[] = []
    const lost: number[] = []
    const callbacks = new Set<(result: { observe(value: number): void }) => void>()
    const instrument =
      (kind: string) =>
      (name: string, { unit }: { unit: string }) => {
        made.push(`| \`${name}\` | ${kind} | \`${unit}\` | |`)
        return {
          add: (count: number) => lost.push(count),
          addCallback: (callback: never) => callbacks.add(callback),
          removeCallback: (callback: never) => callbacks.delete(callback),
        }
      }
    const meter = { createCounter: instrument('counter'), createObservableGauge: instrument('gauge') }
    metrics.setGlobalMeterProvider({ getMeter: () => meter as never })
    const audit = open()
    metrics.disable()
    pool.failure = new Error('away')
    for (const event of numbered(10_003)) audit.record(event)
    let waiting = -1
    for (const callback of callbacks) callback({ observe: (value) => (waiting = value) })
    expect({ waiting, lost }).toEqual({ waiting: 10_000, lost: [1, 1, 1] })
    const closing = audit.close()
    await vi.advanceTimersByTimeAsync(5000)
    await closing
    expect(lost).toEqual([1, 1, 1, 10_000])
    expect(callbacks.size).toBe(0)
    const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/metrics.md'), 'utf8')
    expect(page.match(/^\| `behalf\.audit\..*?` \| [\w -]+ \| `.+?` \| \|/gm)?.toSorted()).toEqual(made.toSorted())
  })

  it('writes what was recorded in 200 ms in one statement, in order', async () => {
    const audit = open()
    for (const event of numbered(3)) audit.record(event)
    await vi.advanceTimersByTimeAsync(199)
    expect(pool.attempts).toBe(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(pool.batches).toEqual([['0', '1', '2']])
    audit.record(auditEvent({ target: '3' }))
    await vi.advanceTimersByTimeAsync(200)
    expect(pool.batches).toEqual([['0', '1', '2'], ['3']])
  })

  it('writes 500 at once, and at most', async () => {
    const audit = open()
    for (const event of numbered(1200)) audit.record(event)
    await vi.advanceTimersByTimeAsync(0)
    expect(pool.batches.map(({ length }) => length)).toEqual([500, 500, 200])
    expect(written()).toEqual(numbered(1200).map(({ target }) => target))
  })

  it('tries again while the database is away, less and less often, and then writes all', async () => {
    const audit = open()
    pool.failure = new Error('ECONNREFUSED')
    for (const event of numbered(600)) audit.record(event)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(pool.attempts).toBeGreaterThan(5)
    expect(pool.attempts).toBeLessThan(15)
    pool.failure = null
    await vi.advanceTimersByTimeAsync(10_000)
    expect(written()).toHaveLength(600)
    expect(new Set(written()).size).toBe(600)
  })

  it('keeps 10,000 events, and says once a minute how many it could not keep, and why', async () => {
    const audit = open()
    const losses: [number, unknown][] = []
    audit.onLost((...loss) => losses.push(loss))
    pool.failure = new Error('ECONNREFUSED')
    for (const event of numbered(10_000)) audit.record(event)
    await vi.advanceTimersByTimeAsync(0)
    expect(losses).toEqual([])
    for (const event of numbered(3)) audit.record(event)
    expect(losses).toEqual([[1, pool.failure]])
    await vi.advanceTimersByTimeAsync(59_999)
    expect(losses).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(losses[1]).toEqual([2, pool.failure])
    pool.failure = null
    await audit.flush()
    expect(written()).toHaveLength(10_000)
    expect(losses).toHaveLength(2)
  })

  it('loses an event that the database refuses, and no other', async () => {
    const audit = open()
    const losses: number[] = []
    audit.onLost((count) => losses.push(count))
    pool.refused = new Set(['17'])
    for (const event of numbered(40)) audit.record(event)
    audit.record(auditEvent({ target: 'circular', detail: circular() }))
    await audit.flush()
    expect(written().map(String).toSorted()).toEqual(
      numbered(40)
        .map(({ target }) => target)
        .filter((target) => target !== '17')
        .map(String)
        .toSorted(),
    )
    await vi.advanceTimersByTimeAsync(60_000)
    expect(losses).toEqual([1, 1])
  })

  it('flushes what is recorded until then, and what is recorded meanwhile', async () => {
    const audit = open()
    audit.record(auditEvent({ target: 'first' }))
    const flushed = audit.flush()
    audit.record(auditEvent({ target: 'second' }))
    await flushed
    expect(written()).toEqual(['first', 'second'])
    await audit.flush()
    expect(pool.attempts).toBe(2)
  })

  it('flushes when it is closed, for three seconds, and reports what is left', async () => {
    const audit = open()
    const losses: number[] = []
    audit.onLost((count) => losses.push(count))
    audit.record(auditEvent({ target: 'last' }))
    await audit.close()
    expect(written()).toEqual(['last'])
    audit.record(auditEvent())
    expect(losses).toEqual([1])

    const other = open()
    other.onLost((count) => losses.push(count))
    pool.query = () => new Promise(() => undefined)
    for (const event of numbered(2)) other.record(event)
    const closed = other.close()
    await vi.advanceTimersByTimeAsync(3000)
    await closed
    expect(losses).toEqual([1, 2])
  })
})

describe('[P14] the audit writer of a database', () => {
  it('that goes away and comes back has all events then, and is flushed when it closes', async () => {
    vi.useRealTimers()
    await using shop = await openShop()
    const { audit } = shop.db
    const targets = async () =>
      (await shop.admin.query('select target from behalf.audit_event order by id')).rows.map(({ target }) => target)
    await shop.admin.query(`alter role ${shop.role} nologin`)
    await shop.admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${shop.role}'`)
    for (const event of numbered(30)) audit.record(event)
    await audit.flush()
    expect(await targets()).toEqual([])
    await shop.admin.query(`alter role ${shop.role} login`)
    await vi.waitFor(async () => expect(await targets()).toHaveLength(30), { timeout: 15_000 })
    for (const event of numbered(2, 30)) audit.record(event)
    await shop.db.close()
    expect(await targets()).toEqual(numbered(32).map(({ target }) => target))
  })
})

function circular(): Record<string, unknown> {
  const detail: Record<string, unknown> = {}
  detail['self'] = detail
  return detail
}
