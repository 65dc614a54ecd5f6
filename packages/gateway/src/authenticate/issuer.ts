import { AppError } from '@behalf/identity'
import { type CryptoKey, errors, type JWTPayload, jwtVerify } from 'jose'
import { fetchBounded } from './fetch-bounded.ts'
import { createIssuerKeys, type IssuerKeys } from './issuer-keys.ts'
import { requireSecure } from './require-secure.ts'

/** What a token can be for; each has its own audience. */
export type Resource = 'graphql' | 'mcp'

/** An OpenID provider or authorization server whose access tokens are accepted. */
export interface IssuerConfig {
  /** `iss`, exactly; https outside loopback. Its keys are found by OpenID Connect Discovery 1.0. */
  readonly issuer: string
  /** `aud` of this issuer's tokens (RFC 8707) for `/graphql` and `/mcp`: each refuses those of the other. */
  readonly audiences: { readonly graphql: string; readonly mcp?: string }
  /** Clients with a person in front of them. A token of any other client is an agent's. */
  readonly interactiveClients: readonly string[]
  /**
   * JWS algorithms that are accepted (RFC 8725 3.1), all with public keys. A key that does not name its own is used
   * with the first that fits it. Default: ES256, RS256, PS256, Ed25519, EdDSA.
   */
  readonly algorithms?: readonly string[]
  /** RFC 9068 2.1. Only for an issuer that cannot: `JWT`, which accepts access tokens without a type of their own. */
  readonly typ?: 'at+jwt' | 'JWT'
  /** Most seconds from `iat` to `exp`. Default, and most: 86,400, for as long as revocations are remembered. */
  readonly maxTokenAge?: number
  /** Names of claims, where they are not those of RFC 9068, or have no standard name. */
  readonly claims?: {
    /** The user's tenant. Unless named, the tenant is only what our records say. */
    readonly tenant?: string
    /** The user's roles, a list. Unless named, tokens have none. */
    readonly roles?: string
    /** Default `client_id`. */
    readonly client?: string
    /** Separated by spaces. Default `scope`. */
    readonly scope?: string
  }
  /** Tenants this issuer may speak for. Default: any. */
  readonly tenants?: readonly string[]
  /** Scopes this issuer may grant, by `scope` or by a role. Default: any. */
  readonly scopes?: readonly string[]
  /** Scopes that a person has by a role. An agent has only what its token's scope says. */
  readonly roles?: Readonly<Record<string, readonly string[]>>
  /** Clients to which this issuer sends logout tokens (OpenID Connect Back-Channel Logout 1.0). Default: the interactive ones. */
  readonly logoutClients?: readonly string[]
  /**
   * What ends by a logout token with both `sid` and `sub`. `subject`, all of the user's sessions with this issuer, is
   * for one whose access tokens do not say their `sid`. Default `session`.
   */
  readonly logoutEnds?: 'session' | 'subject'
}

/** Verifies tokens of one issuer. */
export interface Issuer {
  readonly config: IssuerConfig
  /** Whether a key that verified a token is still one of the issuer's. */
  readonly holds: IssuerKeys['holds']
  /**
   * Verifies signature, algorithm, type, `iss` and times. Who the token is for, and whether its claims make sense, is
   * not looked at.
   *
   * @param expected - `typ` that the header must have (RFC 8725 3.11); without it, that is for the caller to look at
   * @throws {AppError} `CREDENTIAL_INVALID` or `ISSUER_UNAVAILABLE`
   */
  verify(
    token: string,
    expected?: { readonly typ: string },
  ): Promise<{ readonly claims: TimedClaims; readonly typ: string | undefined; readonly key: CryptoKey }>
}

export type TimedClaims = JWTPayload & { readonly iat: number; readonly exp: number }

/** Seconds that our clock and the issuer's may differ. */
export const clockTolerance = 5

const defaultAlgorithms = ['ES256', 'RS256', 'PS256', 'Ed25519', 'EdDSA']
const publicKeyAlgorithm = /^((ES|PS|RS)(256|384|512)|Ed25519|EdDSA|ML-DSA-(44|65|87))$/
const day = 86_400

/** @throws {TypeError} for a configuration under which nothing could be trusted. */
export function createIssuer(config: IssuerConfig, clock = Date.now): Issuer {
  requireUsable(config)
  const { issuer, algorithms = defaultAlgorithms, maxTokenAge = day } = config
  const issuerKeys = createIssuerKeys({ issuer, algorithms, fetch: fetchBounded, clock })

  return {
    config,
    holds: issuerKeys.holds,
    async verify(token, expected) {
      const now = clock()
      try {
        const { payload, protectedHeader, key } = await jwtVerify(token, issuerKeys.find, {
          ...expected,
          issuer,
          algorithms: [...algorithms],
          clockTolerance,
          currentDate: new Date(now),
        })
        // What is not said never begins, or never ends: both are refused here.
        const { iat = Infinity, exp = Infinity } = payload
        // What was issued later than now would outlive every revocation.
        if (iat > now / 1000 + clockTolerance) throw invalid('"iat" is in the future')
        if (!(exp - iat <= maxTokenAge)) throw invalid('good for too long')
        return { claims: { ...payload, iat, exp }, typ: protectedHeader.typ, key }
      } catch (error) {
        if (error instanceof AppError) throw error
        // Everything jose says is about the token; anything else, such as a key that is too short, is about the keys.
        // Its own cause is left out: a parser's message quotes the token.
        if (error instanceof errors.JOSEError) throw invalid(error.message)
        throw new AppError('ISSUER_UNAVAILABLE', undefined, { cause: error })
      }
    },
  }
}

function requireUsable(config: IssuerConfig): void {
  const { issuer, audiences, algorithms = [], interactiveClients, logoutClients = [], maxTokenAge = day } = config
  requireSecure(new URL(issuer))
  const { graphql, mcp } = audiences
  if (graphql === '' || mcp === '') throw new TypeError(`An audience of tokens of ${issuer} is empty.`)
  if (graphql === mcp) throw new TypeError(`Tokens of ${issuer} for /graphql and /mcp have the same audience.`)
  // Such is the audience of ID tokens, and of logout tokens.
  const client = [...interactiveClients, ...logoutClients].find((name) => name === graphql || name === mcp)
  if (client !== undefined) throw new TypeError(`${client} of ${issuer} is a client and cannot be an audience.`)
  const refused = algorithms.find((algorithm) => !publicKeyAlgorithm.test(algorithm))
  if (refused !== undefined) throw new TypeError(`${refused} does not sign with a key that only ${issuer} has.`)
  if (!(maxTokenAge > 0 && maxTokenAge <= day))
    throw new TypeError(
      `Tokens of ${issuer} may be good for 1 to ${day} seconds, as long as revocations are remembered.`,
    )
}

const invalid = (cause: string) => new AppError('CREDENTIAL_INVALID', undefined, { cause })
