import { hash } from 'node:crypto'
import { AppError, type Principal, type ResolvedSubject } from '@behalf/identity'
import type { CryptoKey } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Authority } from '../authority.ts'
import { type AccessToken, readAccessToken } from './access-token.ts'
import { type AgentScopes, anyAgentScope } from './agent-scopes.ts'
import { type CredentialSource, readBearerToken } from './bearer-token.ts'
import { clockTolerance, type Issuer, type IssuerConfig, type Resource } from './issuer.ts'
import type { Issuers } from './issuers.ts'
import { anonymous, areSame, toPrincipal } from './principal.ts'

/**
 * The only code that sees a credential: a bearer access token (RFC 6750, RFC 9068), or none.
 *
 * @param resource - that is asked, which is what the token has to be for
 * @returns who calls; `anonymous` without a credential
 * @throws {AppError} `CREDENTIAL_INVALID`, `CREDENTIAL_UNSUPPORTED`, `ISSUER_UNAVAILABLE` or `UNAVAILABLE`
 */
export type Authenticate = (request: CredentialSource, resource: Resource) => Promise<Principal>

interface Verified {
  readonly issuer: Issuer
  readonly key: CryptoKey
  readonly token: AccessToken
  /** Of its subject, in what is kept of those. */
  readonly subjectKey: string
  /** Whoever it was last found to be, for each resource: for as long as they are, it need not be made anew. */
  readonly people: Partial<Record<Resource, { readonly found: ResolvedSubject; readonly principal: Principal }>>
}

/** Milliseconds for which it is not asked again who a subject is. */
const subjectAge = 5000

export function createAuthenticate(options: {
  readonly issuers: Issuers
  readonly authority: Pick<Authority, 'resolveSubject'>
  readonly agentScopes?: AgentScopes
  readonly clock?: () => number
}): Authenticate {
  const { issuers, authority, agentScopes = anyAgentScope, clock = Date.now } = options
  const cache = { max: 10_000, perf: { now: clock }, ttlResolution: 0 }
  /** By SHA-256, so that the cache holds no token. Verified claims only: whoever they name is looked up anew. */
  const verified = new LRUCache<string, Verified>({ ...cache, ttl: 300_000 })
  /** Kept for as long as revocations may be unknown: while nobody can say who they are now, those who were known go on. */
  const subjects = new LRUCache<string, { readonly found: ResolvedSubject; readonly askedAt: number }>({
    ...cache,
    ttl: 60_000,
  })

  async function verify(token: string): Promise<Verified> {
    const digest = hash('sha256', token, 'base64url')
    const known = verified.get(digest)
    if (known !== undefined) {
      const holds = known.issuer.holds(known.key)
      if (typeof holds === 'boolean' ? holds : await holds) return known
    }
    const issuer = issuers.of(token)
    const { typ = 'at+jwt' } = issuer.config
    const { claims, key } = await issuer.verify(token, { typ })
    const read = readAccessToken(claims, issuer.config)
    const subjectKey = `${issuer.config.issuer}\n${read.subject}`
    const result: Verified = { issuer, key, token: read, subjectKey, people: {} }
    verified.set(digest, result)
    return result
  }

  async function resolve({
    issuer: { config },
    token: { subject },
    subjectKey: key,
  }: Verified): Promise<ResolvedSubject> {
    const { issuer } = config
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

  return async (request, resource) => {
    const shown = readBearerToken(request)
    if (shown === null) return anonymous
    const known = await verify(shown)
    const { issuer, token, people } = known
    const { config } = issuer
    requireAudience(token, config.audiences, resource)
    // RFC 7800: a token bound to a key is worth nothing without proof of that key.
    if (token.bound) throw invalid('sender-constrained token shown as a bearer')
    if (token.expiresAt <= Math.floor(clock() / 1000) - clockTolerance) throw invalid('expired')
    const found = await resolve(known)
    const { subject, tenant, facts } = found
    if (token.tenant !== undefined && token.tenant !== tenant) throw invalid('tenant of another')
    if (config.tenants?.includes(tenant) === false) throw invalid('tenant that the issuer may not speak for')
    const { client, session, authTime, acr, issuedAt, expiresAt } = token
    // Whoever comes to /mcp is a program, whoever may sit in front of it.
    const agent = resource === 'mcp' ? (token.agent ?? client) : token.agent
    // Which scopes an agent may have is asked each time.
    const user = { subject, tenant, facts }
    const scopes = agent === null ? token.roleScopes : token.scopes.filter((scope) => agentScopes(user, scope))
    const person = people[resource]
    if (person?.found === found && areSame(person.principal.scopes, scopes)) return person.principal
    const principal = toPrincipal({
      issuer: config.issuer,
      subject,
      tenant,
      scopes,
      facts,
      client,
      session,
      authTime,
      acr,
      actor: agent === null ? null : { agent, delegation: null, run: null, tool: null, call: null, parent: null },
      issuedAt,
      expiresAt,
    })
    people[resource] = { found, principal }
    return principal
  }
}

/** A token is for one of our resources (RFC 8707): one that names several could be used where its client must not. */
function requireAudience(
  { audiences }: AccessToken,
  { graphql, mcp }: IssuerConfig['audiences'],
  resource: Resource,
): void {
  const [ours, other] = resource === 'graphql' ? [graphql, mcp] : [mcp, graphql]
  if (!audiences.includes(ours)) throw invalid('another audience')
  if (audiences.includes(other)) throw invalid('for several resources')
}

const invalid = (cause: string) => new AppError('CREDENTIAL_INVALID', undefined, { cause })
