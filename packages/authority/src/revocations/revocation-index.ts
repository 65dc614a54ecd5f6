import type { Revocable, Revocation } from '@behalf/identity'

interface Ended {
  /** In milliseconds since the epoch, as is the next. */
  readonly notBefore: number
  readonly expiresAt: number
}

/** Whom revocations end, found without looking through them: `isEndedBy` of @behalf/identity for any number of them. */
export class RevocationIndex {
  readonly #ended = new Map<string, Ended>()

  get size(): number {
    return this.#ended.size
  }

  /** @param expiresAt - when whatever it ends is over anyway, in milliseconds since the epoch */
  add({ revoked, notBefore }: Pick<Revocation, 'revoked' | 'notBefore'>, expiresAt: number): void {
    const key = keyOf(revoked)
    const known = this.#ended.get(key)
    this.#ended.set(key, {
      notBefore: Math.max(revoked.kind === 'subject' ? notBefore.getTime() : Infinity, known?.notBefore ?? -Infinity),
      expiresAt: Math.max(expiresAt, known?.expiresAt ?? -Infinity),
    })
  }

  isRevoked({ issuer, subject, session, issuedAt, delegation }: Revocable): boolean {
    const at = (issuedAt ?? -Infinity) * 1000
    return (
      this.#isEnded({ kind: 'subject', issuer: null, subject }, at) ||
      (issuer !== null && this.#isEnded({ kind: 'subject', issuer, subject }, at)) ||
      (issuer !== null && session !== null && this.#isEnded({ kind: 'session', issuer, session }, at)) ||
      (delegation !== null && this.#isEnded({ kind: 'delegation', delegation }, at))
    )
  }

  /** Drops what has expired. */
  forget(now: number): void {
    for (const [key, { expiresAt }] of this.#ended) if (expiresAt < now) this.#ended.delete(key)
  }

  #isEnded(revoked: Revocation['revoked'], at: number): boolean {
    const notBefore = this.#ended.get(keyOf(revoked))?.notBefore
    return notBefore !== undefined && at <= notBefore
  }
}

/** One text for each that can be ended, and none for two: JSON keeps the parts apart. */
function keyOf(revoked: Revocation['revoked']): string {
  switch (revoked.kind) {
    case 'subject':
      return JSON.stringify(['subject', revoked.issuer, revoked.subject])
    case 'session':
      return JSON.stringify(['session', revoked.issuer, revoked.session])
    case 'delegation':
      return JSON.stringify(['delegation', revoked.delegation])
  }
}
