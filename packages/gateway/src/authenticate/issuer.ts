import { AppError } from '@behalf/identity'
import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { fetchBounded } from './fetch-bounded.ts'

/** An OpenID provider or authorization server whose access tokens are accepted. */
export interface IssuerConfig {
  /** `iss`, exactly; its keys are found by OpenID Connect Discovery 1.0. */
  readonly issuer: string
  /** `aud` that a token for `/graphql` must have (RFC 8707). */
  readonly audience: string
  /** Clients with a person in front of them. A token of any other client is an agent's. */
  readonly interactiveClients: readonly string[]
  /** JWS algorithms that are accepted (RFC 8725 3.1). Default: ES256, PS256, RS256, Ed25519, EdDSA. */
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
const metadata = z.object({ issuer: z.string(), jwks_uri: z.url() })
const retryDiscoveryAfter = 1000

export function createIssuer(config: IssuerConfig, fetch = fetchBounded, clock = Date.now): Issuer {
  let keys: Promise<JWTVerifyGetKey> | null = null
  let failedAt = -Infinity

  /** Found at first use, so that a gateway can start before its provider; a failure is not asked again at once. */
  function discover(): Promise<JWTVerifyGetKey> {
    if (keys === null && clock() - failedAt < retryDiscoveryAfter) throw unavailable('discovery failed a moment ago')
    keys ??= readKeySet(config.issuer, fetch).catch((cause: unknown) => {
      keys = null
      failedAt = clock()
      throw unavailable(cause)
    })
    return keys
  }

  return {
    config,
    async verify(token) {
      const keySet = await discover()
      try {
        const { payload } = await jwtVerify(token, keySet, {
          issuer: config.issuer,
          audience: config.audience,
          algorithms: [...(config.algorithms ?? defaultAlgorithms)],
          typ: config.typ ?? 'at+jwt',
          requiredClaims: ['exp', 'iat', 'sub', 'client_id'],
          clockTolerance,
          currentDate: new Date(clock()),
        })
        return payload
      } catch (cause) {
        throw isAboutToken(cause) ? new AppError('CREDENTIAL_INVALID', undefined, { cause }) : unavailable(cause)
      }
    },
  }
}

async function readKeySet(issuer: string, fetch: typeof fetchBounded): Promise<JWTVerifyGetKey> {
  const location = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const response = await fetch(location)
  if (response.status !== 200) throw new Error(`${location} answered ${response.status}`)
  const found = metadata.parse(await response.json())
  // OpenID Connect Discovery 4.3: the document of another issuer must not vouch for this one.
  if (found.issuer !== issuer) throw new Error(`${location} is about ${found.issuer}`)
  return createRemoteJWKSet(new URL(found.jwks_uri), { [customFetch]: (url) => fetch(url), cooldownDuration: 5000 })
}

/** Everything jose says of a token, as opposed to what it says of keys it could not read. */
const isAboutToken = (error: unknown) =>
  error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout) && error.code !== 'ERR_JOSE_GENERIC' && !(error instanceof errors.JWKSInvalid)

const unavailable = (cause: unknown) => new AppError('ISSUER_UNAVAILABLE', undefined, { cause })
