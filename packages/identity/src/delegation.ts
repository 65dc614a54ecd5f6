import type { Facts } from './principal.ts'

/** Who an issuer's subject is for us. */
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
  /** When the user's credential was issued, in seconds since the epoch: what ends that ends the delegation. */
  readonly issuedAt: number
  readonly agent: string
  /** `txn` of the request that granted it. */
  readonly parent: string
}

/** Opened, that is: what a user approved by an `@approves` field. It starts nothing, whoever has it. */
export interface Proof {
  readonly grant: Omit<DelegationGrant, 'agent'>
  readonly approved: readonly ApprovedHash[]
}

/** An approval, and what the user was shown of the call. */
export interface ApprovedHash {
  /** `apr_...` */
  readonly id: string
  readonly argumentsHash: string
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

/** As it is found when it is used. */
export interface UsedDelegation extends Delegation {
  /** Whether its user has approved something since, by which it would last for longer: see `Approvals.renewable`. */
  readonly isRenewable: boolean
}
