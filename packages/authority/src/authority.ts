import type { Facts } from '@behalf/identity'

/** The durable trust state of the gateway. Every method throws AppError UNAVAILABLE when the database cannot answer. */
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
  ready(): Promise<void>
  close(): Promise<void>
}

export interface ResolvedSubject {
  /** `usr_...` */
  readonly subject: string
  readonly tenant: string
  readonly facts: Facts
}

/** What a user had when they asked an agent to act, as the ticket carried it. */
export interface DelegationGrant {
  readonly issuer: string
  readonly subject: string
  readonly tenant: string
  readonly scopes: readonly string[]
  readonly facts: Facts
  readonly client: string
  readonly session: string | null
  /** In seconds since the epoch. */
  readonly authTime: number | null
  readonly acr: string | null
  readonly agent: string
  /** `txn` of the request that gave the ticket. */
  readonly parent: string
}

/** Opened, that is: only the gateway can read or make one. */
export interface Ticket {
  readonly id: string
  readonly expiresAt: Date
  readonly grant: DelegationGrant
}

export interface Delegation extends DelegationGrant {
  /** `dlg_...` */
  readonly id: string
  readonly createdAt: Date
  readonly expiresAt: Date
}
