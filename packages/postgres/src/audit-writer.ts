import type { Audit, AuditEvent } from '@behalf/identity'
import { metrics, type ObservableResult } from '@opentelemetry/api'
import pg from 'pg'
import { auditJson, insertAuditSql } from './audit-rows.ts'
import { createLossReport, type LossListener } from './loss-report.ts'

/** Writes events in batches, off the path of whoever records them. While the database is away, they wait. */
export interface AuditWriter extends Audit {
  /** Resolves when what was recorded before is written, or cannot be written now. Never throws. */
  flush(): Promise<void>
  /** Calls `listener` at most once a minute with how many events were lost since, and why. */
  onLost(listener: LossListener): void
  /** Writes what is left, for up to three seconds; what is recorded later is lost. Never throws. */
  close(): Promise<void>
}

/** Events that wait at most, and those of one statement. */
const maxQueued = 10_000
const maxBatch = 500
/** Milliseconds from an event to its statement, between attempts at most, for the last attempt, between reports. */
const batchEvery = 200
const retryWithin = 10_000
const closeWithin = 3000
const reportEvery = 60_000

const statement = insertAuditSql('$1')

/**
 * At least once: a batch whose connection is lost while it is committed is written again. An event that the database
 * refuses for what is in it is lost, and no other with it.
 */
export function createAuditWriter(pool: Pick<pg.Pool, 'query'>): AuditWriter {
  const queue: AuditEvent[] = []
  const meter = metrics.getMeter('@behalf/postgres')
  const lost = meter.createCounter('behalf.audit.lost', {
    description: 'Audit events that were not written, and will not be',
    unit: '{event}',
  })
  const waiting = meter.createObservableGauge('behalf.audit.waiting', {
    description: 'Audit events that wait to be written',
    unit: '{event}',
  })
  const observe = (result: ObservableResult) => result.observe(queue.length)
  waiting.addCallback(observe)
  const losses = createLossReport(reportEvery)
  function lose(count: number, cause: unknown): void {
    lost.add(count)
    losses.add(count, cause)
  }
  let timer: NodeJS.Timeout | undefined
  let draining: Promise<void> | undefined
  let failures = 0
  let failure: unknown
  let closed = false

  function schedule(): void {
    if (closed || draining !== undefined) return
    const isFull = queue.length >= maxBatch && failures === 0
    if (timer !== undefined && !isFull) return
    clearTimeout(timer)
    const delay = isFull ? 0 : Math.min(batchEvery * 2 ** failures, retryWithin)
    timer = setTimeout(() => void drain(), delay).unref()
  }

  function drain(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    draining ??= writeAll().finally(() => {
      draining = undefined
      if (queue.length > 0) schedule()
    })
    return draining
  }

  async function writeAll(): Promise<void> {
    try {
      while (queue.length > 0) {
        const batch = queue.slice(0, maxBatch)
        await write(batch)
        queue.splice(0, batch.length)
        failures = 0
      }
    } catch (error) {
      failures++
      failure = error
    }
  }

  /** @throws what is not the fault of an event */
  async function write(events: readonly AuditEvent[]): Promise<void> {
    try {
      await pool.query(statement, [auditJson(events)])
    } catch (error) {
      if (!isRefused(error)) throw error
      if (events.length === 1) return lose(1, error)
      const half = Math.ceil(events.length / 2)
      await write(events.slice(0, half))
      await write(events.slice(half))
    }
  }

  async function flush(): Promise<void> {
    await drain()
    // That drain may have begun, and failed, before the last event.
    if (queue.length > 0 && failures === 0) await drain()
  }

  return {
    record(event) {
      if (closed || queue.length >= maxQueued) return lose(1, closed ? 'recorded after the end' : failure)
      queue.push(event)
      schedule()
    },
    flush,
    onLost: losses.listen,
    async close() {
      const late = Promise.withResolvers<void>()
      const lateness = setTimeout(late.resolve, closeWithin)
      await Promise.race([flush(), late.promise])
      clearTimeout(lateness)
      closed = true
      waiting.removeCallback(observe)
      clearTimeout(timer)
      const left = queue.splice(0).length
      if (left > 0) lose(left, failure)
      losses.end()
    },
  }
}

/**
 * Another attempt ends the same: SQLSTATE classes 22 data exception and 23 integrity constraint violation, and what
 * cannot be written as JSON.
 */
const isRefused = (error: unknown) =>
  error instanceof TypeError || (error instanceof pg.DatabaseError && /^2[23]/.test(error.code ?? ''))
