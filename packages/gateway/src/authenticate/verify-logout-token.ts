import { AppError } from '@behalf/identity'
import { isText } from './is-text.ts'
import type { IssuerConfig, TimedClaims } from './issuer.ts'
import type { Issuers } from './issuers.ts'

/** Whose session an issuer says has ended. At least one of `subject` and `session` is not null. */
export interface LogoutToken {
  readonly issuer: string
  /** As the issuer names them; null where the token names a session alone. */
  readonly subject: string | null
  /** Null where all sessions of the subject with this issuer have ended. */
  readonly session: string | null
  readonly jti: string
  readonly expiresAt: Date
}

/** @throws {AppError} `LOGOUT_TOKEN_INVALID` or `ISSUER_UNAVAILABLE` */
export type VerifyLogoutToken = (token: string) => Promise<LogoutToken>

const event = 'http://schemas.openid.net/event/backchannel-logout'

/** Validates logout tokens as OpenID Connect Back-Channel Logout 1.0, section 2.6, has it. */
export function createLogoutTokenVerifier(issuers: Issuers): VerifyLogoutToken {
  return async (token) => {
    try {
      const issuer = issuers.of(token)
      const { claims, typ } = await issuer.verify(token)
      // A type is recommended only (2.4); where there is one, it is this.
      if (typ !== undefined && !/^(application\/)?logout\+jwt$/i.test(typ)) throw invalid('another type')
      return readLogoutToken(claims, issuer.config)
    } catch (error) {
      if (error instanceof AppError && error.code === 'CREDENTIAL_INVALID') throw invalid(error.cause)
      throw error
    }
  }
}

function readLogoutToken(claims: TimedClaims, config: IssuerConfig): LogoutToken {
  const { interactiveClients, logoutClients = interactiveClients, logoutEnds = 'session' } = config
  const { aud = [], sub = null, sid = null, jti, nonce, events, exp } = claims
  if (![aud].flat().some((client) => logoutClients.includes(client))) throw invalid('another audience')
  // With a nonce it would be an ID token, which must never end a session (2.4).
  if (nonce !== undefined) throw invalid('a nonce')
  if (!isObject(events) || !isObject(events[event])) throw invalid('no logout event')
  if (!isTextOrNull(sub) || !isTextOrNull(sid) || !isText(jti)) throw invalid('sub, sid or jti')
  const session = logoutEnds === 'session' ? sid : null
  if (sub === null && session === null) throw invalid('names nobody')
  return { issuer: config.issuer, subject: sub, session, jti, expiresAt: new Date(exp * 1000) }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isTextOrNull = (value: unknown): value is string | null => value === null || isText(value)
const invalid = (cause: unknown) => new AppError('LOGOUT_TOKEN_INVALID', undefined, { cause })
