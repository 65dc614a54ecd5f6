import { createHash } from 'node:crypto'
import { AppError, type Revoked } from '@behalf/identity'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { challengeOf } from '../authenticate/challenge.ts'
import { clockTolerance } from '../authenticate/issuer.ts'
import type { RequestAudit } from '../audit/audit-requests.ts'
import type { LogoutToken, VerifyLogoutToken } from '../authenticate/verify-logout-token.ts'
import type { Authority } from '../authority.ts'
import type { Admit } from './admission.ts'
import type { WriteError } from './refuse.ts'
import { parseForm } from './parse-form.ts'
import { parseJson } from './parse-json.ts'

const form = 'application/x-www-form-urlencoded'
const backChannelRequest = z.object({ logout_token: z.string() })
const logoutRequest = z.strictObject({ everywhere: z.boolean().default(false) })

/**
 * Where sessions end: by a user who signs out, and by their issuer, which tells us so itself (OpenID Connect
 * Back-Channel Logout 1.0).
 */
export function addLogoutRoutes(
  app: FastifyInstance,
  options: {
    readonly admit: Admit
    readonly verifyLogoutToken: VerifyLogoutToken
    readonly authority: Pick<Authority, 'resolveSubject' | 'consume' | 'revoke'>
    readonly audit: Pick<RequestAudit, 'refused'>
  },
): void {
  const { admit, verifyLogoutToken, authority, audit } = options
  const config = { writeError: writeOAuthError }

  /** Whom a logout token ends. A subject that nobody of ours has is an error: else a logout would end nothing, unseen. */
  async function revokedBy({ issuer, subject, session }: LogoutToken): Promise<Revoked> {
    const resolved = subject === null ? null : await authority.resolveSubject({ issuer, subject })
    if (subject !== null && resolved === null) throw invalid('nobody of ours')
    if (session !== null) return { kind: 'session', issuer, session }
    if (resolved === null) throw invalid('nobody')
    return { kind: 'subject', issuer, subject: resolved.subject }
  }

  async function endByIssuer(request: FastifyRequest): Promise<void> {
    const asked = backChannelRequest.safeParse(parseForm(bodyOf(request)))
    if (!asked.success) throw invalid('no logout_token, or several')
    const token = await verifyLogoutToken(asked.data.logout_token)
    const revoked = await revokedBy(token)
    // What is remembered has one length, whatever the issuer takes for an id.
    const id = createHash('sha256').update(`logout\n${token.issuer}\n${token.jti}`).digest('base64url')
    const isNew = await authority.consume(id, new Date(token.expiresAt.getTime() + clockTolerance * 1000))
    if (!isNew) throw invalid('seen before')
    if (!(await authority.revoke(revoked, 'BACK_CHANNEL_LOGOUT'))) throw invalid('nothing is known of it')
  }

  async function endByUser(request: FastifyRequest): Promise<void> {
    const { principal } = await admit(request, 'graphql')
    const { issuer, subject, session, actor } = principal
    if (issuer === null) throw new AppError('UNAUTHENTICATED', 'Sign in to sign out.')
    if (actor !== null) {
      audit.refused('AGENT_DENIED', [], principal)
      throw new AppError('AGENT_DENIED')
    }
    const body = bodyOf(request)
    const asked = logoutRequest.safeParse(body.length === 0 ? {} : parseJson(body))
    if (!asked.success) throw new AppError('BAD_REQUEST', undefined, { cause: asked.error })
    const revoked = revokedByUser({ issuer, subject, session }, asked.data.everywhere)
    if (!(await authority.revoke(revoked, 'LOGOUT')))
      throw new AppError('INTERNAL', undefined, { cause: 'ended nobody' })
  }

  app.post('/auth/logout', { config }, async (request, reply) => {
    await endByUser(request)
    return reply.code(204).send()
  })

  // Only here may a form be sent: not where a browser could be made to send one.
  void app.register(async (routes) => {
    routes.removeAllContentTypeParsers()
    routes.addContentTypeParser(form, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    routes.post('/auth/backchannel-logout', { config }, async (request, reply) => {
      await endByIssuer(request).catch((error: unknown) => {
        if (error instanceof AppError && error.status < 500) audit.refused(error.code, [], null)
        throw error
      })
      return reply.code(200).send()
    })
  })
}

/** The session, where the issuer names one; else all that it has issued, or everything. */
function revokedByUser(
  { issuer, subject, session }: { issuer: string; subject: string; session: string | null },
  everywhere: boolean,
): Revoked {
  if (everywhere) return { kind: 'subject', issuer: null, subject }
  return session === null ? { kind: 'subject', issuer, subject } : { kind: 'session', issuer, session }
}

/** RFC 6749 5.2, which Back-Channel Logout 2.8 refers to, with our own code besides. */
const writeOAuthError: WriteError = (refused, txn) => {
  const challenge = challengeOf(refused)
  return {
    body: { error: oauthErrorOf(refused), error_description: refused.message, code: refused.code, txn },
    headers: challenge === null ? {} : { 'www-authenticate': challenge },
  }
}

function oauthErrorOf({ status }: AppError): string {
  if (status === 401) return 'invalid_token'
  if (status === 403) return 'access_denied'
  if (status < 500) return 'invalid_request'
  return status === 503 ? 'temporarily_unavailable' : 'server_error'
}

const bodyOf = ({ body }: FastifyRequest) => (Buffer.isBuffer(body) ? body : Buffer.alloc(0))
const invalid = (cause: string) => new AppError('LOGOUT_TOKEN_INVALID', undefined, { cause })
