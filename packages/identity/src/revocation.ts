/** Whom or what a revocation ends. */
export type Revoked =
  /** Whatever was issued to a user until then: by one issuer, or (null) by any. */
  | { readonly kind: 'subject'; readonly issuer: string | null; readonly subject: string }
  /** One session, as its issuer names it (`sid`, OpenID Connect Back-Channel Logout 1.0), and all that is issued in it. */
  | { readonly kind: 'session'; readonly issuer: string; readonly session: string }
  /** One delegation, `dlg_...`. */
  | { readonly kind: 'delegation'; readonly delegation: string }

export type RevocationReason = 'USER' | 'LOGOUT' | 'BACK_CHANNEL_LOGOUT' | 'OPERATOR'

/** A revocation as it is stored, in the order in which revocations took effect. */
export interface Revocation {
  /** Counts up; one that is seen has all earlier ones before it. */
  readonly sequence: number
  readonly revoked: Revoked
  /**
   * Of a subject, whatever was issued at or before this moment is over: when it was revoked, and by how much the clock of
   * an issuer may be ahead.
   */
  readonly notBefore: Date
  readonly reason: RevocationReason
}

/** What can be ended: a credential, or a delegation and the credential it was granted with. */
export interface Revocable {
  readonly issuer: string | null
  readonly subject: string
  readonly session: string | null
  /** When the credential was issued, in whole seconds since the epoch; null counts as long ago. */
  readonly issuedAt: number | null
  readonly delegation: string | null
}

/**
 * Whether `revocation` ends `credential`. A session or a delegation does not begin again; a subject does, by signing in
 * after the revocation. Tokens tell whole seconds (RFC 7519 `iat`): one of the very second of the revocation is over.
 */
export function isEndedBy(
  credential: Revocable,
  { revoked, notBefore }: Pick<Revocation, 'revoked' | 'notBefore'>,
): boolean {
  const { issuer, subject, session, issuedAt, delegation } = credential
  switch (revoked.kind) {
    case 'subject':
      return (
        subject === revoked.subject &&
        (revoked.issuer === null || issuer === revoked.issuer) &&
        (issuedAt ?? -Infinity) * 1000 <= notBefore.getTime()
      )
    case 'session':
      return session === revoked.session && issuer === revoked.issuer
    case 'delegation':
      return delegation === revoked.delegation
  }
}

/** What one process knows of revocations, in memory: asked on every request. */
export interface Revocations {
  /** Milliseconds since what is known here was known to be complete; Infinity before the first reading. */
  age(): number
  /** As {@link isEndedBy} of any revocation that is known here. */
  isRevoked(credential: Revocable): boolean
  /** Calls `listener` for each revocation as it becomes known here; gives a function that ends that. */
  onRevoked(listener: (revocation: Revocation) => void): () => void
}
