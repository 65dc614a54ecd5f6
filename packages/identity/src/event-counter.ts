import type { Audit, AuditEvent } from './audit.ts'

/** For what anybody can cause as often as they like: nobody is to fill the audit trail, or hide in it. */
export interface EventCounter {
  /** Records the first 100 events of an interval as they are, and counts the others together. */
  record(event: AuditEvent): void
  /** Counts what has no event of its own. */
  count(counted: Counted): void
  /** Records the counts so far. */
  flush(): void
}

export type Counted = Pick<AuditEvent, 'what' | 'outcome'> & Partial<Pick<AuditEvent, 'subject' | 'tenant'>>

const ownEvents = 100
/** Beyond, whom it happened to is no longer told apart. */
const maxCounts = 1000

/** Counts are recorded every ten seconds, as events without a `txn`, with `detail.count`. */
export function createEventCounter(audit: Audit, everyMs = 10_000): EventCounter {
  const counts = new Map<string, Counted & { count: number }>()
  let recorded = 0
  let timer: NodeJS.Timeout | undefined

  function count({ what, outcome, subject = null, tenant = null }: Counted): void {
    timer ??= setTimeout(flush, everyMs).unref()
    const key = `${what} ${outcome} ${subject ?? ''}`
    const known = counts.get(key)
    if (known !== undefined) known.count++
    else if (subject !== null && counts.size >= maxCounts) count({ what, outcome })
    else counts.set(key, { what, outcome, subject, tenant, count: 1 })
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    recorded = 0
    const time = new Date()
    for (const { what, outcome, subject = null, tenant = null, count: times } of counts.values()) {
      const rest = { txn: null, parent: null, actor: null, target: null, rule: null, durationMs: null }
      audit.record({ ...rest, time, subject, tenant, what, outcome, detail: { count: times } })
    }
    counts.clear()
  }

  return {
    record(event) {
      timer ??= setTimeout(flush, everyMs).unref()
      if (recorded >= ownEvents) return count(event)
      recorded++
      audit.record(event)
    },
    count,
    flush,
  }
}
