import { AppError } from '@behalf/identity'
import { errors, type JWTPayload, jwtVerify } from 'jose'
import { fetchBounded, requireSecure } from './fetch-bounded.ts'
import { createIssuerKeys } from './issuer-keys.ts'

/** An OpenID provider or authorization server whose access tokens are accepted. */
export interface IssuerConfig {
  /** `iss`, exactly; https outside loopback. Its keys are found by OpenID Connect Discovery 1.0. */
  readonly issuer: string
  /** `aud` that a token for `/graphql` must have (RFC 8707). */
  readonly audience: string
  /** Clients with a person in front of them. A token of any other client is an agent's. */
  readonly interactiveClients: readonly string[]
  /** JWS algorithms that are accepted (RFC 8725 3.1), all with public keys. Default: ES256, PS256, RS256, Ed25519, EdDSA. */
  readonly algorithms?: readonly string[]
  /** RFC 9068 2.1. Only for an issuer that cannot: `JWT`, which accepts access tokens without a type of their own. */
  readonly typ?: 'at+jwt' | 'JWT'
  /** Name of the claim with the user's tenant. Without it the tenant is only what our records say. */
  readonly claims?: { readonly tenant?: string }
  /** Tenants this issuer may speak for. Default: any. */
  readonly tenants?: readonly string[]
  /** Scopes this issuer may grant. Default: any. */
  readonly scopes?: readonly string[]
}

/** Verifies access tokens of one issuer. */
export interface Issuer {
  readonly config: IssuerConfig
  /** @throws {AppError} `CREDENTIAL_INVALID` or `ISSUER_UNAVAILABLE` */
  verify(token: string): Promise<JWTPayload>
}

/** Seconds that our clock and the issuer's may differ. */
export const clockTolerance = 5

const defaultAlgorithms = ['ES256', 'PS256', 'RS256', 'Ed25519', 'EdDSA']
const publicKeyAlgorithm = /^((ES|PS|RS)(256|384|512)|Ed25519|EdDSA|ML-DSA-(44|65|87))$/

/** @throws {TypeError} for a configuration under which nothing could be trusted. */
export function createIssuer(config: IssuerConfig, clock = Date.now): Issuer {
  const { issuer, audience, algorithms = defaultAlgorithms, typ = 'at+jwt' } = config
  requireSecure(new URL(issuer))
  if (audience === '') throw new TypeError(`The audience of tokens of ${issuer} must not be empty.`)
  const refused = algorithms.find((algorithm) => !publicKeyAlgorithm.test(algorithm))
  if (refused !== undefined) throw new TypeError(`${refused} does not sign with a key that only ${issuer} has.`)
  const keys = createIssuerKeys(issuer, fetchBounded, clock)

  return {
    config,
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer,
          audience,
          algorithms: [...algorithms],
          typ,
          requiredClaims: ['exp', 'iat', 'sub', 'client_id'],
          clockTolerance,
          currentDate: new Date(clock()),
        })
        return payload
      } catch (cause) {
        if (cause instanceof AppError) throw cause
        // Everything jose says is about the token; anything else, such as a key that is too short, is about the keys.
        throw new AppError(cause instanceof errors.JOSEError ? 'CREDENTIAL_INVALID' : 'ISSUER_UNAVAILABLE', undefined, {
          cause,
        })
      }
    },
  }
}
