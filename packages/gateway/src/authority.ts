import type {
  Approvals,
  Audit,
  Delegation,
  DelegationGrant,
  ResolvedSubject,
  RevocationReason,
  Revocations,
  Revoked,
  Ticket,
  UsedDelegation,
} from '@behalf/identity'

/**
 * The durable trust state that the gateway needs; `@behalf/authority` keeps it in PostgreSQL. Every method throws
 * AppError `UNAVAILABLE` when it cannot tell now; whatever else it throws is a fault of ours. Nothing is assumed in
 * the place of an answer.
 */
export interface Authority {
  /** Our subject for an issuer's; null for somebody unknown. */
  resolveSubject(id: { readonly issuer: string; readonly subject: string }): Promise<ResolvedSubject | null>
  /** Makes a delegation of a ticket; null when it was redeemed before, or whoever granted it was ended. */
  redeemTicket(ticket: Ticket): Promise<{ readonly handle: string; readonly delegation: Delegation } | null>
  /** Null for a delegation that is unknown, ended, revoked, or given to none of these agents. */
  useDelegation(handle: string, agents: readonly string[]): Promise<UsedDelegation | null>
  /**
   * The delegation of a client that shows a user's token itself: one for each user, client and agent, made or renewed by
   * the token. Null where the user ended it after they last signed in for the client, or whoever grants it was ended.
   */
  delegateToClient(grant: DelegationGrant): Promise<Delegation | null>
  readonly approvals: Approvals
  /** True the first time an id is seen, by any replica. */
  consume(id: string, expiresAt: Date): Promise<boolean>
  /** `consume` and `useDelegation` in one; null where the token was used before, and then nothing is noted of the delegation. */
  consumeAndUse(
    token: { readonly id: string; readonly expiresAt: Date },
    handle: string,
    agents: readonly string[],
  ): Promise<{ readonly delegation: UsedDelegation | null } | null>
  /**
   * Ends what was issued to a subject until now, a session, or a delegation, for every replica; false, and nothing is
   * done, where nothing is known of it.
   */
  revoke(revoked: Revoked, reason: RevocationReason): Promise<boolean>
  /** What is known here of revocations, asked on every request. */
  readonly revocations: Revocations
  readonly limiter: Limiter
  /** Where decisions are recorded. */
  readonly audit: Audit
}

/** So many points in so many seconds, for each key. */
export interface Limit {
  readonly name: string
  readonly points: number
  readonly seconds: number
}

/** Counts for all replicas together, as well as it can: it answers in any case, and never throws. */
export interface Limiter {
  /**
   * Takes points, or none of them where not enough are left; then says in how many milliseconds all are there again.
   * Answers at once where it need not ask anybody.
   */
  take(limit: Limit, key: string, points: number): TakeAnswer | Promise<TakeAnswer>
}

export type TakeAnswer = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number }
