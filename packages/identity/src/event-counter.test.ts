import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AuditEvent } from './audit.ts'
import { createEventCounter, type EventCounter } from './event-counter.ts'

const event: AuditEvent = {
  txn: '01980f6e-1111-7abc-8def-0123456789ab',
  parent: null,
  time: new Date(),
  subject: 'anonymous',
  tenant: null,
  actor: null,
  what: 'request',
  target: null,
  rule: null,
  outcome: 'OK',
  durationMs: 1,
  detail: {},
}
let events: AuditEvent[]
let counter: EventCounter
beforeEach(() => {
  vi.useFakeTimers()
  events = []
  counter = createEventCounter({ record: (recorded) => events.push(recorded) })
})
afterEach(() => vi.useRealTimers())
const times = (count: number, work: () => void) => Array.from({ length: count }, work)

describe('what anybody can cause', () => {
  it('is counted together by code, and recorded every ten seconds, without a txn', () => {
    times(3, () => counter.count({ what: 'credential.refused', outcome: 'CREDENTIAL_INVALID' }))
    counter.count({ what: 'credential.refused', outcome: 'SESSION_ENDED' })
    vi.advanceTimersByTime(9999)
    expect(events).toEqual([])
    vi.advanceTimersByTime(1)
    const counted = { ...event, txn: null, subject: null, durationMs: null, what: 'credential.refused' }
    const time = expect.any(Date)
    expect(events).toEqual([
      { ...counted, time, outcome: 'CREDENTIAL_INVALID', detail: { count: 3 } },
      { ...counted, time, outcome: 'SESSION_ENDED', detail: { count: 1 } },
    ])
    vi.advanceTimersByTime(60_000)
    expect(events).toHaveLength(2)
  })

  it('[P14] has events of its own for the first hundred in ten seconds, and fills nothing with the rest', () => {
    times(10_000, () => counter.record(event))
    expect(events).toEqual(times(100, () => undefined).map(() => event))
    vi.advanceTimersByTime(10_000)
    expect(events[100]).toMatchObject({ txn: null, subject: 'anonymous', what: 'request', detail: { count: 9900 } })
    counter.record(event)
    expect(events[101]).toBe(event)
    expect(events).toHaveLength(102)
  })

  it('is told apart by subject, for a thousand of them', () => {
    times(1500, () => counter.count({ what: 'request', outcome: 'RATE_LIMITED', subject: `usr_${Math.random()}` }))
    counter.flush()
    expect(events).toHaveLength(1001)
    expect(events.at(-1)).toMatchObject({ subject: null, detail: { count: 500 } })
  })
})
