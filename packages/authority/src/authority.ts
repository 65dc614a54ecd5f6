import type {
  Approvals,
  Delegation,
  DelegationGrant,
  ResolvedSubject,
  RevocationReason,
  Revocations,
  Revoked,
  Ticket,
  UsedDelegation,
} from '@behalf/identity'
import type { AuditWriter } from '@behalf/postgres'

/**
 * The durable trust state of the gateway. Every method throws AppError UNAVAILABLE when the database cannot answer now,
 * and the database's own error where it refuses what was asked: that is a fault of ours, which no repetition mends.
 */
export interface Authority {
  /** Who somebody is for us; null for one that this issuer has not been known to name. */
  resolveSubject(id: { readonly issuer: string; readonly subject: string }): Promise<ResolvedSubject | null>
  /** Makes a delegation out of a ticket; null if it was used before or has expired, or whoever granted it was ended. */
  redeemTicket(ticket: Ticket): Promise<{ readonly handle: string; readonly delegation: Delegation } | null>
  /**
   * Null if the handle is unknown, its delegation has ended or was revoked, itself or with its subject or session, or it
   * is for none of these agents.
   */
  useDelegation(handle: string, agents: readonly string[]): Promise<UsedDelegation | null>
  /**
   * The delegation of a client that shows a user's token itself: one for each user, client and agent, made or renewed by
   * the token for 30 days. Null where the user ended it after they last signed in for the client, or whoever grants it
   * was ended.
   */
  delegateToClient(grant: DelegationGrant): Promise<Delegation | null>
  /**
   * Ends what was issued to a subject until now, a session, or a delegation: on every replica within a second, and here
   * and in `useDelegation` and `redeemTicket` everywhere at once. False, and nothing is done, where nothing is known of it:
   * a subject or an issuer that no record names, a delegation that is not in force.
   */
  revoke(revoked: Revoked, reason: RevocationReason): Promise<boolean>
  /** What this process knows of revocations: nothing before `start`. */
  readonly revocations: Revocations
  /** What users are asked for. */
  readonly approvals: Approvals
  /** Records the single use of a workload token: true the first time, for whichever replica. */
  consume(id: string, expiresAt: Date): Promise<boolean>
  /** `consume` and `useDelegation` in one; null where the token was used before, and then nothing is noted of the delegation. */
  consumeAndUse(
    token: { readonly id: string; readonly expiresAt: Date },
    handle: string,
    agents: readonly string[],
  ): Promise<{ readonly delegation: UsedDelegation | null } | null>
  readonly limiter: Limiter
  /** Where decisions are recorded; what was recorded is written before it closes. */
  readonly audit: AuditWriter
  /** Resolves once this process knows all revocations; from then on it follows them. */
  start(): Promise<void>
  close(): Promise<void>
}

/** So many points in so many seconds, for each key; at most 1,000,000,000 points. */
export interface Limit {
  readonly name: string
  readonly points: number
  readonly seconds: number
}

/** Counts for all replicas together, as well as it can: it answers in any case, and never throws. */
export interface Limiter {
  /**
   * Takes points, or none of them where not enough are left; then says in how many milliseconds all are there again.
   * Answers at once where it need not ask the database.
   */
  take(limit: Limit, key: string, points: number): TakeAnswer | Promise<TakeAnswer>
}

export type TakeAnswer = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number }
