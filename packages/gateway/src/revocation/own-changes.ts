import type { RequestAudit } from '../audit/audit-requests.ts'
import type { Authority } from '../authority.ts'

/**
 * What went through this process and may have ended something. Revocations are heard of a moment after they are in effect;
 * whoever was answered here that something has ended must not find it in force here in that moment.
 */
export interface OwnChanges {
  /** Whether what was known of a subject may have changed since, by the clock that is given here. */
  since(subject: string, moment: number): boolean
  /** Notes each mutation's end, before it is answered: the subgraph that it is for may have ended a delegation. */
  noting(audit: RequestAudit): RequestAudit
  /** Notes each revocation. */
  revoking(authority: Authority): Pick<Authority, 'resolveSubject' | 'consume' | 'revoke'>
}

/** Of how many it is remembered one by one. */
const most = 10_000

/** @param clock - milliseconds, counted up evenly */
export function createOwnChanges(clock: () => number = () => performance.now()): OwnChanges {
  const bySubject = new Map<string, number>()
  let ofAll = -Infinity

  function note(subject: string | null): void {
    if (subject !== null && (bySubject.has(subject) || bySubject.size < most)) bySubject.set(subject, clock())
    else {
      ofAll = clock()
      bySubject.clear()
    }
  }

  return {
    since: (subject, moment) => moment <= Math.max(ofAll, bySubject.get(subject) ?? -Infinity),
    noting: (audit) => ({
      ...audit,
      ended(record, principal, end) {
        if (record.operation?.type === 'mutation') note(principal.subject)
        audit.ended(record, principal, end)
      },
    }),
    revoking: (authority) => ({
      resolveSubject: (id) => authority.resolveSubject(id),
      consume: (id, expiresAt) => authority.consume(id, expiresAt),
      async revoke(revoked, reason) {
        try {
          return await authority.revoke(revoked, reason)
        } finally {
          note(null)
        }
      },
    }),
  }
}
