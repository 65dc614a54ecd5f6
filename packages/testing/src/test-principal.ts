import { type Actor, anonymousSubject, deepFreeze, type Facts, type Principal, type Unbranded } from '@behalf/identity'

/** What can be said of a caller in a test. */
export interface TestClaims {
  /** Default: none. */
  readonly scopes?: readonly string[]
  /** Default `acme`. */
  readonly tenant?: string
  /** Default: none. */
  readonly facts?: Facts
  /** Default: a human. */
  readonly actor?: Actor | null
  /** Default `test`. */
  readonly client?: string
  /** When they signed in, in seconds since the epoch. Default: now. */
  readonly authTime?: number | null
  /** How. Default: nobody says. */
  readonly acr?: string | null
}

/**
 * A principal that no credential was verified for: the only one of its kind, and reachable from tests only.
 *
 * @param name - `ada` is the subject `usr_ada`; null is a caller without a credential.
 */
export function testPrincipal(name: string | null, claims: TestClaims = {}): Principal {
  const { scopes = [], tenant = 'acme', facts = {}, actor = null, client = 'test' } = claims
  const { authTime = now(), acr = null } = claims
  const known = name !== null
  const principal: Unbranded<Principal> = {
    issuer: known ? 'https://issuer.test' : null,
    subject: known ? subjectOf(name) : anonymousSubject,
    tenant: known ? tenant : null,
    scopes: known ? scopes : [],
    facts: known ? facts : {},
    client: known ? client : null,
    session: null,
    authTime: known ? authTime : null,
    acr: known ? acr : null,
    actor,
    issuedAt: known ? now() : null,
    expiresAt: known ? now() + 300 : null,
  }
  return deepFreeze(principal) as Principal
}

const now = () => Math.floor(Date.now() / 1000)
export const subjectOf = (name: string) => (name.startsWith('usr_') ? name : `usr_${name}`)
