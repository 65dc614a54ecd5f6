import { createLocalJWKSet, type CryptoKey, type LocalJWKSet } from 'jose'

/** A JSON Web Key as an issuer publishes it (RFC 7517). */
export type PublishedKey = Readonly<Record<string, unknown>>

/** The keys of an issuer at one moment. */
export interface KeySet {
  /** The key for the header of a token; throws jose's errors. */
  readonly find: FindKey
  /** Whether a key was found here. */
  holds(key: CryptoKey): boolean
  /** The same text means the same keys. */
  readonly text: string
}

export type FindKey = (...token: Parameters<LocalJWKSet>) => Promise<CryptoKey>

/**
 * Each key serves one algorithm: the one it names, or else the first of `algorithms` that its type and curve fit
 * (RFC 8725 3.1). A key that fits none is left out.
 *
 * @param algorithms - those accepted of this issuer, the preferred first
 */
export function createKeySet(published: readonly PublishedKey[], algorithms: readonly string[]): KeySet {
  const keys = published.flatMap((key) => algorithmsOf(key, algorithms).map((alg) => ({ ...key, alg })))
  const local = createLocalJWKSet({ keys } as Parameters<typeof createLocalJWKSet>[0])
  const found = new WeakSet<CryptoKey>()
  return {
    async find(...token) {
      const key = await local(...token)
      found.add(key)
      return key
    },
    holds: (key) => found.has(key),
    text: keys.map(canonical).toSorted().join('\n'),
  }
}

const namesOfEd25519 = new Set(['Ed25519', 'EdDSA'])
const algorithmOfCurve: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }

/** One algorithm; that of Ed25519 has two names (RFC 9864 2.2). */
function algorithmsOf(key: PublishedKey, accepted: readonly string[]): readonly unknown[] {
  const { kty, crv, alg } = key
  if (alg !== undefined) return [alg]
  if (kty === 'OKP' && crv === 'Ed25519') return accepted.filter((name) => namesOfEd25519.has(name))
  if (kty === 'EC') return accepted.filter((name) => name === algorithmOfCurve[String(crv)])
  if (kty === 'RSA') return accepted.filter((name) => /^[RP]S/.test(name)).slice(0, 1)
  return []
}

const canonical = (key: PublishedKey) => JSON.stringify(Object.entries(key).toSorted(([a], [b]) => (a < b ? -1 : 1)))
