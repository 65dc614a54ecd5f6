import type { Audit, Delegation, ResolvedSubject, Ticket } from '@behalf/identity'

/**
 * The durable trust state that the gateway needs; `@behalf/authority` keeps it in PostgreSQL. Every method throws
 * AppError `UNAVAILABLE` when it cannot tell now; whatever else it throws is a fault of ours. Nothing is assumed in
 * the place of an answer.
 */
export interface Authority {
  /** Our subject for an issuer's; null for somebody unknown. */
  resolveSubject(id: { readonly issuer: string; readonly subject: string }): Promise<ResolvedSubject | null>
  /** Makes a delegation of a ticket; null when the ticket was redeemed before. */
  redeemTicket(ticket: Ticket): Promise<{ readonly handle: string; readonly delegation: Delegation } | null>
  /** Null for a delegation that is unknown, ended, revoked, or given to none of these agents. */
  useDelegation(handle: string, agents: readonly string[]): Promise<Delegation | null>
  /** True the first time an id is seen, by any replica. */
  consume(id: string, expiresAt: Date): Promise<boolean>
  /** Where decisions are recorded. */
  readonly audit: Audit
  ready(): Promise<void>
}
