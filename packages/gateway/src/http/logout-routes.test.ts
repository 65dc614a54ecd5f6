import { AppError, type Revoked } from '@behalf/identity'
import type { FastifyInstance } from 'fastify'
import pino from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createAuthenticate } from '../authenticate/authenticate.ts'
import type { IssuerConfig } from '../authenticate/issuer.ts'
import { createIssuers } from '../authenticate/issuers.ts'
import { createLogoutTokenVerifier } from '../authenticate/verify-logout-token.ts'
import { admitting, trust } from '../fixtures/authentication.ts'
import { type IdentityProvider, mcpAudience, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority, type MemoryAuthority } from '../fixtures/memory-authority.ts'
import { createApp } from './create-app.ts'
import { addLogoutRoutes } from './logout-routes.ts'

const event = 'http://schemas.openid.net/event/backchannel-logout'
const logs: string[] = []
let provider: IdentityProvider
let authority: MemoryAuthority
let revoked: { revoked: Revoked; reason: string }[]
let failing: AppError | null
const refusals: [string, string | null][] = []
const apps: FastifyInstance[] = []
let app: FastifyInstance

beforeAll(async () => {
  provider = await startIdentityProvider()
})
afterAll(async () => {
  await provider[Symbol.asyncDispose]()
  for (const each of apps) await each.close()
})
beforeEach(() => {
  authority = createMemoryAuthority()
  revoked = []
  failing = null
  logs.length = 0
  refusals.length = 0
  app = serve()
})

function serve(change: Partial<IssuerConfig> = {}): FastifyInstance {
  const issuers = createIssuers([trust(provider, change)])
  const made = createApp({
    log: pino({ level: 'trace' }, { write: (line: string) => void logs.push(line) }),
    maxBodyBytes: 20_000,
    contentTypes: ['application/json'],
    ready: async () => undefined,
    writeError: ({ code }) => ({ body: { plain: code } }),
  })
  addLogoutRoutes(made, {
    admit: admitting(createAuthenticate({ issuers, authority })),
    verifyLogoutToken: createLogoutTokenVerifier(issuers),
    authority: {
      ...authority,
      async revoke(what, reason) {
        if (failing !== null) throw failing
        revoked.push({ revoked: what, reason })
        return true
      },
    },
    audit: { refused: (code, _headers, principal) => refusals.push([code, principal?.subject ?? null]) },
  })
  apps.push(made)
  return made
}

type Change = NonNullable<Parameters<IdentityProvider['mint']>[0]>
const logoutToken = ({ claims = {}, without = [] }: Change = {}) =>
  provider.mint({
    claims: { aud: 'cli', sub: 'ada', sid: 's1', events: { [event]: {} }, ...claims },
    without: ['client_id', 'scope', ...without],
    header: { typ: 'logout+jwt' },
  })
const form = { 'content-type': 'application/x-www-form-urlencoded' }
async function tell(payload: string, headers: Record<string, string> = form) {
  const {
    statusCode: status,
    body,
    headers: answered,
  } = await app.inject({
    method: 'POST',
    url: '/auth/backchannel-logout',
    headers,
    payload,
  })
  return { status, body, cache: answered['cache-control'] }
}
const tellToken = (token: string) => tell(new URLSearchParams({ logout_token: token }).toString())

describe("an issuer's logout (OpenID Connect Back-Channel Logout 1.0)", () => {
  it('ends the session that it names', async () => {
    expect(await tellToken(await logoutToken())).toEqual({ status: 200, body: '', cache: 'no-store' })
    expect(await tellToken(await logoutToken({ without: ['sub'] }))).toMatchObject({ status: 200 })
    const entry = {
      revoked: { kind: 'session', issuer: provider.issuer, session: 's1' },
      reason: 'BACK_CHANNEL_LOGOUT',
    }
    expect(revoked).toEqual([entry, entry])
  })

  it("ends all of our subject's sessions with it, where it names no session", async () => {
    expect(await tellToken(await logoutToken({ without: ['sid'] }))).toMatchObject({ status: 200 })
    expect(revoked.map((entry) => entry.revoked)).toEqual([
      { kind: 'subject', issuer: provider.issuer, subject: 'usr_ada' },
    ])
  })

  const refusal = (code: string, status = 400, error = 'invalid_request') => ({
    status,
    body: { error, error_description: expect.any(String), code, txn: expect.any(String) },
    cache: 'no-store',
  })
  const asJson = ({ body, ...answer }: Awaited<ReturnType<typeof tell>>) => ({
    ...answer,
    body: JSON.parse(body) as unknown,
  })

  it('that maps to nobody is an error, and ends nothing', async () => {
    for (const change of [{ claims: { sub: 'mallory' } }, { claims: { sub: 'mallory' }, without: ['sid'] }]) {
      expect(asJson(await tellToken(await logoutToken(change)))).toEqual(refusal('LOGOUT_TOKEN_INVALID'))
    }
    expect(asJson(await tellToken(await logoutToken({ without: ['sub', 'sid'] })))).toEqual(
      refusal('LOGOUT_TOKEN_INVALID'),
    )
    expect(revoked).toEqual([])
  })

  it('[P1] is told by a token once, and by no other token', async () => {
    const token = await logoutToken()
    expect(await tellToken(token)).toMatchObject({ status: 200 })
    expect(asJson(await tellToken(token))).toEqual(refusal('LOGOUT_TOKEN_INVALID'))
    expect(asJson(await tellToken(await provider.mint()))).toEqual(refusal('LOGOUT_TOKEN_INVALID'))
    expect(asJson(await tellToken('x'))).toEqual(refusal('LOGOUT_TOKEN_INVALID'))
    expect(revoked).toHaveLength(1)
    // Nobody else's token of the same id was seen.
    expect(await tellToken(await logoutToken())).toMatchObject({ status: 200 })
  })

  it('[P14] is counted where its token is refused, and not where it is done or cannot be known', async () => {
    const token = await logoutToken()
    await tellToken(token)
    failing = new AppError('UNAVAILABLE')
    await tellToken(await logoutToken())
    expect(refusals).toEqual([])
    await tellToken(token)
    expect(refusals).toEqual([['LOGOUT_TOKEN_INVALID', null]])
  })

  it('is a form with one token', async () => {
    const token = await logoutToken()
    for (const payload of ['', 'logout_token', `x=${token}`, `logout_token=${token}&logout_token=${token}`])
      expect(asJson(await tell(payload))).toEqual(refusal('LOGOUT_TOKEN_INVALID'))
    const json = JSON.stringify({ logout_token: token })
    expect(asJson(await tell(json, { 'content-type': 'application/json' }))).toEqual(
      refusal('UNSUPPORTED_MEDIA_TYPE', 415),
    )
    expect(await tell(`logout_token=${token}&more=1`)).toMatchObject({ status: 200 })
  })

  it('is not taken for done while that cannot be known', async () => {
    const { keys } = provider.misbehave
    provider.misbehave.keys = (_request, response) => response.writeHead(503).end()
    const temporarily = (code: string) => refusal(code, 503, 'temporarily_unavailable')
    expect(asJson(await tellToken(await logoutToken()))).toEqual(temporarily('ISSUER_UNAVAILABLE'))
    provider.misbehave.keys = keys
    app = serve()
    failing = new AppError('UNAVAILABLE')
    expect(asJson(await tellToken(await logoutToken()))).toEqual(temporarily('UNAVAILABLE'))
    failing = null
    expect(await tellToken(await logoutToken())).toMatchObject({ status: 200 })
  })

  it('[P2] leaves no token in a log', async () => {
    const token = await logoutToken({ claims: { sub: 'mallory' } })
    await tellToken(token)
    expect(logs.join('')).toContain('LOGOUT_TOKEN_INVALID')
    expect(logs.join('')).not.toContain(token.slice(-40))
  })
})

describe("a user's logout", () => {
  async function signOut(claims: Record<string, unknown>, payload?: string, headers: Record<string, string> = {}) {
    const answer = await app.inject({
      method: 'POST',
      url: '/auth/logout',
      headers: {
        authorization: `Bearer ${await provider.mint({ claims })}`,
        ...(payload !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(payload !== undefined && { payload }),
    })
    return {
      status: answer.statusCode,
      code: answer.body === '' ? null : (answer.json<{ code?: string }>().code ?? null),
      challenge: answer.headers['www-authenticate'] ?? null,
    }
  }
  const done = { status: 204, code: null, challenge: null }

  it('ends the session of the token', async () => {
    expect(await signOut({ sid: 's7' })).toEqual(done)
    expect(await signOut({ sid: 's7' }, '{}')).toEqual(done)
    expect(await signOut({ sid: 's7' }, '{"everywhere":false}')).toEqual(done)
    const entry = { revoked: { kind: 'session', issuer: provider.issuer, session: 's7' }, reason: 'LOGOUT' }
    expect(revoked).toEqual([entry, entry, entry])
  })

  it('ends all with this issuer where the token names no session, and everywhere if asked to', async () => {
    expect(await signOut({})).toEqual(done)
    expect(await signOut({ sid: 's7' }, '{"everywhere":true}')).toEqual(done)
    expect(revoked.map((entry) => entry.revoked)).toEqual([
      { kind: 'subject', issuer: provider.issuer, subject: 'usr_ada' },
      { kind: 'subject', issuer: null, subject: 'usr_ada' },
    ])
  })

  it('[P8] is for people', async () => {
    for (const claims of [{ client_id: 'cron' }, { act: { sub: 'assistant' } }])
      expect(await signOut(claims)).toMatchObject({ status: 403, code: 'AGENT_DENIED' })
    expect(await signOut({ aud: mcpAudience })).toMatchObject({ status: 401, code: 'CREDENTIAL_INVALID' })
    expect(revoked).toEqual([])
  })

  it('[P14] that a program asked for is recorded as its user can see it', async () => {
    await signOut({ sid: 's7' })
    expect(refusals).toEqual([])
    await signOut({ client_id: 'cron' })
    expect(refusals).toEqual([['AGENT_DENIED', 'usr_ada']])
  })

  it('takes a credential, with a challenge where there is none', async () => {
    const answer = await app.inject({ method: 'POST', url: '/auth/logout' })
    expect(answer.statusCode).toBe(401)
    expect(answer.json()).toMatchObject({ code: 'UNAUTHENTICATED', error: 'invalid_token' })
    expect(answer.headers['www-authenticate']).toBe('Bearer')
    expect(await signOut({ sub: 'mallory' })).toMatchObject({
      status: 401,
      challenge: expect.stringContaining('error="invalid_token"'),
    })
    expect(revoked).toEqual([])
  })

  it.each(['[]', '{"everywhere":"yes"}', '{"everywhere":true,"user":"usr_ben"}', '{', 'null'])(
    'is asked for as it is written, not by %s',
    async (payload) => {
      expect(await signOut({ sid: 's7' }, payload)).toMatchObject({ status: 400, code: 'BAD_REQUEST' })
      expect(revoked).toEqual([])
    },
  )

  it('is never sent by a form', async () => {
    expect(await signOut({ sid: 's7' }, 'everywhere=true', form)).toMatchObject({ status: 415 })
    expect(revoked).toEqual([])
  })

  it('fails where the session could not be ended', async () => {
    failing = new AppError('UNAVAILABLE')
    expect(await signOut({ sid: 's7' })).toMatchObject({ status: 503, code: 'UNAVAILABLE' })
  })
})

it('whatever else this port serves takes no forms, and says its errors as before', async () => {
  const answer = await app.inject({ method: 'POST', url: '/nothing', headers: form, payload: 'a=b' })
  expect(answer.json()).toEqual({ plain: expect.stringMatching(/NOT_FOUND|UNSUPPORTED_MEDIA_TYPE/) })
})
