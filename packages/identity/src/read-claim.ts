import { anonymousSubject, type Caller } from './principal.ts'

/**
 * Reads the claim of a caller that a directive names. The anonymous subject is nobody's: it owns nothing and
 * fills nothing.
 *
 * @throws {Error} where there is no such claim.
 */
export function readClaim(directive: string, claim: string): (caller: Caller) => string | null {
  if (claim === 'sub') return ({ subject }) => (subject === anonymousSubject ? null : subject)
  if (claim === 'tenant') return ({ tenant }) => tenant
  throw new Error(`${directive}(claim: "${claim}") is neither "sub" nor "tenant".`)
}
