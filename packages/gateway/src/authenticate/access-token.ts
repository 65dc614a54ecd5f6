import { AppError } from '@behalf/identity'
import type { JWTPayload } from 'jose'
import { isText } from './is-text.ts'
import type { IssuerConfig, TimedClaims } from './issuer.ts'

/** What a verified access token says, as far as its issuer may say it. */
export interface AccessToken {
  /** As they are claimed. */
  readonly audiences: readonly unknown[]
  /** Bound to a key (RFC 7800). */
  readonly bound: boolean
  /** Whole seconds. */
  readonly expiresAt: number
  readonly issuedAt: number
  /** As its issuer names them. */
  readonly subject: string
  readonly client: string
  /** Null for a person, for all the token says. */
  readonly agent: string | null
  /** Those that the token grants, and those that a person has by their roles besides. */
  readonly scopes: readonly string[]
  readonly roleScopes: readonly string[]
  /** Undefined where the issuer is not asked for one. */
  readonly tenant: unknown
  readonly session: string | null
  readonly authTime: number | null
  readonly acr: string | null
}

/** @throws {AppError} `CREDENTIAL_INVALID` for claims that make no sense: what they were meant to say is not guessed. */
export function readAccessToken(claims: TimedClaims, config: IssuerConfig): AccessToken {
  const { tenant, roles, client: clientClaim = 'client_id', scope: scopeClaim = 'scope' } = config.claims ?? {}
  const { sub, [clientClaim]: client, [scopeClaim]: scope = '' } = claims
  if (!isText(sub) || !isText(client) || !(scope === '' || isText(scope))) throw invalid('sub, client or scope')
  const allowed = (name: string) => name !== '' && config.scopes?.includes(name) !== false
  const scopes = new Set(scope.split(' ').filter(allowed))
  const byRole = roles === undefined ? [] : scopesOf(config.roles ?? {}, claims[roles]).filter(allowed)
  return {
    audiences: [claims.aud ?? []].flat(),
    bound: claims['cnf'] !== undefined,
    expiresAt: Math.floor(claims.exp),
    issuedAt: Math.floor(claims.iat),
    subject: sub,
    client,
    agent: agentOf(claims, sub, client, config),
    scopes: [...scopes],
    roleScopes: [...new Set([...scopes, ...byRole])],
    tenant: tenant === undefined ? undefined : (claims[tenant] ?? null),
    session: textOrNull(claims['sid']),
    authTime: secondsOrNull(claims['auth_time']),
    acr: textOrNull(claims['acr']),
  }
}

/**
 * Whom `act` names, and of nested ones the outermost (RFC 8693 4.1); else the client, unless it is one with a person
 * in front of it. A client is its own subject where there is no person (RFC 9068 2.2).
 */
function agentOf(
  { act }: JWTPayload,
  subject: string,
  client: string,
  { interactiveClients }: IssuerConfig,
): string | null {
  if (act === undefined) return interactiveClients.includes(client) && subject !== client ? null : client
  if (typeof act !== 'object' || act === null || !('sub' in act) || !isText(act.sub)) throw invalid('act')
  return act.sub
}

/** Roles that are not configured grant nothing. */
function scopesOf(granted: NonNullable<IssuerConfig['roles']>, roles: unknown = []): readonly string[] {
  if (!Array.isArray(roles) || !roles.every(isText)) throw invalid('roles')
  return roles.flatMap((role) => (Object.hasOwn(granted, role) ? (granted[role] ?? []) : []))
}

const textOrNull = (value: unknown) => (isText(value) ? value : null)
/** RFC 7519 2: a NumericDate may have a fraction. Everything behind us counts in whole seconds. */
function secondsOrNull(value: unknown): number | null {
  const seconds = typeof value === 'number' ? Math.floor(value) : -1
  return Number.isSafeInteger(seconds) && seconds >= 0 ? seconds : null
}
const invalid = (cause: string) => new AppError('CREDENTIAL_INVALID', undefined, { cause })
