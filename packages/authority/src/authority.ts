import type { Delegation, ResolvedSubject, Ticket } from '@behalf/identity'
import type { AuditWriter } from '@behalf/postgres'

/**
 * The durable trust state of the gateway. Every method throws AppError UNAVAILABLE when the database cannot answer now,
 * and the database's own error where it refuses what was asked: that is a fault of ours, which no repetition mends.
 */
export interface Authority {
  /** Who somebody is for us; null for one that this issuer has not been known to name. */
  resolveSubject(id: { readonly issuer: string; readonly subject: string }): Promise<ResolvedSubject | null>
  /** Makes a delegation out of a ticket; null if the ticket was used before, or has expired. */
  redeemTicket(ticket: Ticket): Promise<{ readonly handle: string; readonly delegation: Delegation } | null>
  /** Null if the handle is unknown, its delegation has ended or was revoked, or it is for none of these agents. */
  useDelegation(handle: string, agents: readonly string[]): Promise<Delegation | null>
  /** Ends a delegation of this subject; false if there is none of that id to end. */
  revokeDelegation(subject: string, id: string): Promise<boolean>
  /** Records the single use of a workload token: true the first time, for whichever replica. */
  consume(id: string, expiresAt: Date): Promise<boolean>
  /** Where decisions are recorded; what was recorded is written before it closes. */
  readonly audit: AuditWriter
  ready(): Promise<void>
  close(): Promise<void>
}
