import { anonymousSubject, type Audit, type ErrorCode, type EventCounter, type Principal } from '@behalf/identity'
import { denialsOf, eventOf, executionOf, whoIs } from './record-events.ts'
import type { RequestRecord } from './request-record.ts'

/** Writes down what became of clients' requests. */
export interface RequestAudit {
  /** The end of a request whose caller is known, or known to be nobody. */
  ended(
    record: RequestRecord,
    principal: Principal,
    end: { readonly status: number; readonly ignoredHeaders: readonly string[] },
  ): void
  /** Somebody was turned away at the door; null where it is not known whom: there is nobody whose event it could be. */
  refused(code: ErrorCode, ignoredHeaders: readonly string[], principal: Principal | null): void
}

/** Refusals that a caller can have as many of as they send requests. */
const counted: ReadonlySet<string | null> = new Set<ErrorCode>(['RATE_LIMITED'])

export function createRequestAudit(options: { readonly audit: Audit; readonly counter: EventCounter }): RequestAudit {
  const { audit, counter } = options

  return {
    ended(record, principal, { status, ignoredHeaders }) {
      const { subject, tenant, client, scopes } = principal
      const outcome = record.refusal ?? 'OK'
      if (counted.has(outcome)) return counter.count({ what: 'request', outcome, subject, tenant })
      const who = whoIs(principal, record.txn)
      const events = [
        eventOf(who, 'request', {
          time: record.time,
          outcome,
          durationMs: record.durationMs,
          detail: { client, scopes, status, ...executionOf(record) },
        }),
        ...denialsOf(record, who),
        ...(ignoredHeaders.length > 0 ? [eventOf(who, 'header.ignored', { detail: { names: ignoredHeaders } })] : []),
      ]
      // Anybody can be nobody, as often as they like.
      const { record: write } = subject === anonymousSubject ? counter : audit
      for (const event of events) write(event)
    },
    refused(code, ignoredHeaders, principal) {
      if (principal === null) counter.count({ what: 'credential.refused', outcome: code })
      else counter.count({ what: 'request', outcome: code, subject: principal.subject, tenant: principal.tenant })
      if (ignoredHeaders.length > 0) counter.count({ what: 'header.ignored', outcome: code })
    },
  }
}
