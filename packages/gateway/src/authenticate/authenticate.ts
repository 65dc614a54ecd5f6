import { createHash } from 'node:crypto'
import { AppError, type Actor, type Principal, type ResolvedSubject } from '@behalf/identity'
import { decodeJwt, type JWTPayload } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Authority } from '../authority.ts'
import { clockTolerance, createIssuer, type Issuer, type IssuerConfig } from './issuer.ts'
import { anonymous, toPrincipal } from './principal.ts'

/** What `authenticate` reads of a request, and all that ever reads it. */
export interface CredentialSource {
  /** As node:http has them: names and values in turn, nothing joined. */
  readonly rawHeaders: readonly string[]
  readonly url: string
}

/**
 * The only code that sees a credential: a bearer access token (RFC 6750, RFC 9068), or none.
 *
 * @returns who calls; `anonymous` without a credential.
 * @throws {AppError} `CREDENTIAL_INVALID`, `CREDENTIAL_UNSUPPORTED`, `ISSUER_UNAVAILABLE` or `UNAVAILABLE`
 */
export type Authenticate = (request: CredentialSource) => Promise<Principal>

const maxTokenLength = 8192
/** Milliseconds for which it is not asked again who a subject is. */
const subjectAge = 5000

export function createAuthenticate(options: {
  readonly issuers: readonly IssuerConfig[]
  readonly authority: Pick<Authority, 'resolveSubject'>
  readonly clock?: () => number
}): Authenticate {
  const { authority, clock = Date.now } = options
  const issuers = new Map(options.issuers.map((config) => [config.issuer, createIssuer(config, clock)]))
  if (issuers.size !== options.issuers.length) throw new TypeError('An issuer is configured twice.')
  const cache = { max: 10_000, perf: { now: clock }, ttlResolution: 0 }
  /** By SHA-256, so that the cache holds no token. Verified claims only: whoever they name is looked up anew. */
  const verified = new LRUCache<string, { readonly issuer: Issuer; readonly claims: JWTPayload }>({
    ...cache,
    ttl: 300_000,
  })
  /** Kept for as long as revocations may be unknown: while nobody can say who they are now, those who were known go on. */
  const subjects = new LRUCache<string, { readonly found: ResolvedSubject; readonly askedAt: number }>({
    ...cache,
    ttl: 60_000,
  })

  async function verify(token: string) {
    const key = createHash('sha256').update(token).digest('base64url')
    const known = verified.get(key)
    if (known !== undefined) return known
    // RFC 4648 3.5: base64url spells the same bytes in several ways. One is accepted, so that no byte can be altered.
    if (token.split('.').some((part) => Buffer.from(part, 'base64url').toString('base64url') !== part))
      throw invalid('encoding')
    const issuer = issuers.get(issuerOf(token))
    if (issuer === undefined) throw invalid('unknown issuer')
    const result = { issuer, claims: await issuer.verify(token) }
    verified.set(key, result)
    return result
  }

  async function resolve(issuer: string, subject: string) {
    const key = `${issuer}\n${subject}`
    const known = subjects.get(key)
    if (known !== undefined && clock() <= known.askedAt + subjectAge) return known.found
    const askedAt = clock()
    let found: ResolvedSubject | null
    try {
      found = await authority.resolveSubject({ issuer, subject })
    } catch (error) {
      if (known !== undefined && error instanceof AppError && error.code === 'UNAVAILABLE') return known.found
      throw error
    }
    if (found === null) {
      subjects.delete(key)
      throw invalid('nobody of ours')
    }
    subjects.set(key, { found, askedAt })
    return found
  }

  return async (request) => {
    const token = bearerToken(request)
    if (token === null) return anonymous
    const { issuer, claims } = await verify(token)
    const { config } = issuer
    const { sub, iat = 0, exp = 0, cnf, client_id: client, scope } = claims
    if (exp <= Math.floor(clock() / 1000) - clockTolerance) throw invalid('expired')
    // RFC 7800: a token bound to a key is worth nothing without proof of that key.
    if (cnf !== undefined) throw invalid('sender-constrained token shown as a bearer')
    if (!isText(sub) || !isText(client) || (scope !== undefined && typeof scope !== 'string'))
      throw invalid('sub, client_id or scope')
    const { subject, tenant, facts } = await resolve(config.issuer, sub)
    const claimed = config.claims?.tenant === undefined ? tenant : claims[config.claims.tenant]
    if (claimed !== tenant || config.tenants?.includes(tenant) === false) throw invalid('tenant')
    const scopes = (scope ?? '').split(' ').filter((name) => name !== '' && config.scopes?.includes(name) !== false)
    return toPrincipal({
      issuer: config.issuer,
      subject,
      tenant,
      scopes,
      facts,
      client,
      session: textOrNull(claims['sid']),
      authTime: secondsOrNull(claims['auth_time']),
      acr: textOrNull(claims['acr']),
      actor: actorOf(claims, client, config),
      issuedAt: Math.floor(iat),
      expiresAt: exp,
    })
  }
}

/** Null for a person: a token of an interactive client in which nobody else acts (RFC 8693 4.1). */
function actorOf(claims: JWTPayload, client: string, { interactiveClients }: IssuerConfig): Actor | null {
  const act = claims['act']
  if (act === undefined && interactiveClients.includes(client)) return null
  const named = typeof act === 'object' && act !== null && 'sub' in act ? textOrNull(act.sub) : null
  if (act !== undefined && named === null) throw invalid('act')
  return { agent: named ?? client, delegation: null, run: null, tool: null, call: null, parent: null }
}

/** RFC 7515 7.1, RFC 6750 2.1 */
const bearer = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

function bearerToken({ rawHeaders, url }: CredentialSource): string | null {
  const values = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'authorization',
  )
  // RFC 6750 2.3: a token in a URL ends up in logs; it is refused where others would accept or ignore it.
  if (url.includes('?') && new URLSearchParams(url.slice(url.indexOf('?'))).has('access_token')) {
    throw new AppError('CREDENTIAL_UNSUPPORTED', 'Send the access token in the Authorization header, not in the URL.')
  }
  const [value, ...others] = values
  if (value === undefined) return null
  if (others.length > 0 || !/^bearer +\S+$/i.test(value)) throw new AppError('CREDENTIAL_UNSUPPORTED')
  const [, token] = bearer.exec(value) ?? []
  if (token === undefined || token.length > maxTokenLength) throw invalid('not a JWT of a reasonable length')
  return token
}

/** `iss` before verification: only to choose the issuer whose keys then have to verify the token. */
function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? ''
  } catch (cause) {
    throw invalid(cause)
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const textOrNull = (value: unknown) => (isText(value) ? value : null)
/** RFC 7519 2: a NumericDate may have a fraction. Everything behind us counts in whole seconds. */
function secondsOrNull(value: unknown): number | null {
  const seconds = typeof value === 'number' ? Math.floor(value) : -1
  return Number.isSafeInteger(seconds) && seconds >= 0 ? seconds : null
}
const invalid = (cause: unknown) => new AppError('CREDENTIAL_INVALID', undefined, { cause })
