import canonicalize from 'canonicalize'
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
 * Each key serves one algorithm (RFC 8725 3.1): the one it names, or else the one of its curve. An RSA key that names
 * none serves the first of `algorithms` that is of RSA, and is left out if there is none.
 *
 * @param algorithms - those accepted of this issuer, the preferred first
 */
export function createKeySet(published: readonly PublishedKey[], algorithms: readonly string[]): KeySet {
  const ofRsa = algorithms.filter((name) => /^[RP]S/.test(name)).slice(0, 1)
  const keys = published.flatMap((key) =>
    key['kty'] === 'RSA' && key['alg'] === undefined ? ofRsa.map((alg) => ({ ...key, alg })) : key,
  )
  const local = createLocalJWKSet({ keys } as Parameters<typeof createLocalJWKSet>[0])
  const found = new WeakSet<CryptoKey>()
  return {
    async find(...token) {
      const key = await local(...token)
      found.add(key)
      return key
    },
    holds: (key) => found.has(key),
    text: keys
      .map((key) => String(canonicalize(key)))
      .toSorted()
      .join('\n'),
  }
}
