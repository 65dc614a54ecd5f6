import { AppError, type Facts } from '@behalf/identity'

/** The durable trust state that the gateway needs; `@behalf/authority` keeps it in PostgreSQL. */
export interface Authority {
  /** Our subject for an issuer's; null for somebody unknown. */
  resolveSubject(id: { readonly issuer: string; readonly subject: string }): Promise<ResolvedSubject | null>
  /** Makes a delegation of a ticket; null when the ticket was redeemed before. */
  redeemTicket(ticket: Ticket): Promise<{ readonly handle: string; readonly delegation: Delegation } | null>
  /** Null for a delegation that is unknown, ended, revoked, or given to none of these agents. */
  useDelegation(handle: string, agents: readonly string[]): Promise<Delegation | null>
  /** True the first time an id is seen, by any replica. */
  consume(id: string, expiresAt: Date): Promise<boolean>
  /** @throws when it cannot answer. */
  ready(): Promise<void>
}

export interface ResolvedSubject {
  /** `usr_...` */
  readonly subject: string
  readonly tenant: string
  readonly facts: Facts
}

/** What a user grants an agent by calling a `@delegates` field: their own rights of that moment, and no more. */
export interface DelegationGrant {
  readonly issuer: string
  readonly subject: string
  readonly tenant: string
  readonly scopes: readonly string[]
  readonly facts: Facts
  readonly client: string
  readonly session: string | null
  /** Seconds since the epoch. */
  readonly authTime: number | null
  readonly acr: string | null
  readonly agent: string
  /** `txn` of the request that granted it. */
  readonly parent: string
}

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

/** What an authority says; `UNAVAILABLE` when it cannot: nothing is assumed in its place. */
export async function orUnavailable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    throw cause instanceof AppError ? cause : new AppError('UNAVAILABLE', undefined, { cause })
  }
}
