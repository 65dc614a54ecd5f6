/** Whom or what a revocation ends: whatever was issued to them until then. */
export type Revoked =
  /** All of a user's sessions: with one issuer, or (null) with any. */
  | { readonly kind: 'subject'; readonly issuer: string | null; readonly subject: string }
  /** One session, as its issuer names it (`sid`, OpenID Connect Back-Channel Logout 1.0). */
  | { readonly kind: 'session'; readonly issuer: string; readonly session: string }
  /** One delegation, `dlg_...`. */
  | { readonly kind: 'delegation'; readonly delegation: string }

export type RevocationReason = 'USER' | 'LOGOUT' | 'BACK_CHANNEL_LOGOUT' | 'OPERATOR'

/** A revocation as it is stored, in the order in which revocations took effect. */
export interface Revocation {
  /** Counts up; one that is seen has all earlier ones before it. */
  readonly sequence: number
  readonly revoked: Revoked
  /** Whatever was issued at or before this moment is over. */
  readonly notBefore: Date
  readonly reason: RevocationReason
}
