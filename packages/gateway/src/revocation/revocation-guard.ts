import { AppError, type Principal, type Revocations } from '@behalf/identity'

/** Milliseconds after which nothing is changed, and no agent acts, on what was known of revocations. */
const staleAfter = 5000
/** Milliseconds after which nobody who is signed in is answered. */
const unknownAfter = 60_000

/** Refuses whatever was ended, and what may have been since anybody could tell. */
export interface RevocationGuard {
  /** @throws {AppError} `SESSION_ENDED`, or `REVOCATIONS_UNKNOWN`; never for anonymous callers, of whom there is nothing to end. */
  requireInForce(principal: Principal): void
  /** @throws {AppError} `REVOCATIONS_UNKNOWN` where something is to be changed, or an agent to act, on knowledge that is not fresh. */
  requireFresh(): void
  /** @throws {AppError} `REVOCATIONS_UNKNOWN` where nobody who is signed in is answered. */
  requireKnown(): void
}

export function createRevocationGuard(revocations: Revocations): RevocationGuard {
  function requireYounger(limit: number): void {
    const age = revocations.age()
    if (age <= limit) return
    const cause = age === Infinity ? 'never read' : `last read ${Math.round(age / 1000)} s ago`
    throw new AppError('REVOCATIONS_UNKNOWN', undefined, { cause, details: { retryAfter: 1 } })
  }
  const requireFresh = () => requireYounger(staleAfter)
  const requireKnown = () => requireYounger(unknownAfter)

  return {
    requireInForce({ issuer, subject, session, issuedAt, actor }) {
      if (issuer === null) return
      // What is known to have ended has, however old the knowledge.
      if (revocations.isRevoked({ issuer, subject, session, issuedAt, delegation: actor?.delegation ?? null }))
        throw new AppError('SESSION_ENDED')
      if (actor === null) requireKnown()
      else requireFresh()
    },
    requireFresh,
    requireKnown,
  }
}
