import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testAuthentication, trust, unavailable } from '../fixtures/authentication.ts'
import { audience, type IdentityProvider, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority } from '../fixtures/memory-authority.ts'
import type { IssuerConfig } from './issuer.ts'
import { createIssuers } from './issuers.ts'
import { createLogoutTokenVerifier } from './verify-logout-token.ts'

const event = 'http://schemas.openid.net/event/backchannel-logout'
const refusal = { code: 'LOGOUT_TOKEN_INVALID', status: 400 }

let provider: IdentityProvider
let other: IdentityProvider
beforeAll(async () => {
  provider = await startIdentityProvider()
  other = await startIdentityProvider()
})
afterAll(async () => {
  await provider[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})

const seconds = () => Math.floor(Date.now() / 1000)
type Change = NonNullable<Parameters<IdentityProvider['mint']>[0]>
const mint = ({ claims = {}, without = [], header = {} }: Change = {}, by = provider) =>
  by.mint({
    claims: { aud: 'cli', sub: 'ada', sid: 's1', events: { [event]: {} }, ...claims },
    without: ['client_id', 'scope', ...without],
    header: { typ: 'logout+jwt', ...header },
  })
const verify = (token: string, change: Partial<IssuerConfig> = {}) =>
  createLogoutTokenVerifier(createIssuers([trust(provider, change)]))(token)

describe('a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6)', () => {
  it('names the subject or the session that has ended, or both', async () => {
    const exp = seconds() + 100
    expect(await verify(await mint({ claims: { exp, jti: 'j' } }))).toEqual({
      issuer: provider.issuer,
      subject: 'ada',
      session: 's1',
      jti: 'j',
      expiresAt: new Date(exp * 1000),
    })
    expect(await verify(await mint({ without: ['sid'] }))).toMatchObject({ subject: 'ada', session: null })
    expect(await verify(await mint({ without: ['sub'] }))).toMatchObject({ subject: null, session: 's1' })
  })

  it('has its type, if it has one', async () => {
    for (const typ of ['LOGOUT+JWT', 'application/logout+jwt', undefined])
      await expect(verify(await mint({ header: { typ } }))).resolves.toBeDefined()
    for (const typ of ['JWT', 'at+jwt', 'logout+jwt+x', 'xlogout+jwt', ''])
      await expect(verify(await mint({ header: { typ } }))).rejects.toMatchObject(refusal)
  })

  it('is for one of the clients that it is sent to', async () => {
    for (const aud of ['cli', ['x', 'cli']])
      await expect(verify(await mint({ claims: { aud } }))).resolves.toBeDefined()
    for (const aud of ['x', [], audience])
      await expect(verify(await mint({ claims: { aud } }))).rejects.toMatchObject(refusal)
    const portal = await mint({ claims: { aud: 'portal' } })
    await expect(verify(portal, { logoutClients: ['portal'] })).resolves.toBeDefined()
    await expect(verify(await mint(), { logoutClients: ['portal'] })).rejects.toMatchObject(refusal)
  })

  const changes: Record<string, () => Change> = {
    'another issuer': () => ({ claims: { iss: 'https://issuer.example' } }),
    'no issuer': () => ({ without: ['iss'] }),
    'no audience': () => ({ without: ['aud'] }),
    'no iat': () => ({ without: ['iat'] }),
    'an iat in the future': () => ({ claims: { iat: seconds() + 60 } }),
    'no exp': () => ({ without: ['exp'] }),
    'a past exp': () => ({ claims: { exp: seconds() - 6 } }),
    'a far exp': () => ({ claims: { exp: seconds() + 90_000 } }),
    'no jti': () => ({ without: ['jti'] }),
    'an empty jti': () => ({ claims: { jti: '' } }),
    'a jti that is a number': () => ({ claims: { jti: 7 as unknown as string } }),
    'neither sub nor sid': () => ({ without: ['sub', 'sid'] }),
    'an empty sub': () => ({ claims: { sub: '' } }),
    'a sub that is a list': () => ({ claims: { sub: ['ada'] as unknown as string } }),
    'a sub that cannot be stored': () => ({ claims: { sub: 'ada\0' } }),
    'a sid that cannot be stored': () => ({ claims: { sid: 's\ud800' } }),
    'a jti that cannot be stored': () => ({ claims: { jti: 'j\0' } }),
    'an empty sid': () => ({ claims: { sid: '' } }),
    'a sid that is a number': () => ({ claims: { sid: 7 } }),
    'a nonce': () => ({ claims: { nonce: 'n' } }),
    'a nonce that is null': () => ({ claims: { nonce: null } }),
    'no events': () => ({ without: ['events'] }),
    'events that are a list': () => ({ claims: { events: [event] } }),
    'another event': () => ({ claims: { events: { 'http://schemas.openid.net/event/other': {} } } }),
    'an event that is true': () => ({ claims: { events: { [event]: true } } }),
    'an event that is a list': () => ({ claims: { events: { [event]: [] } } }),
    'an unknown key': () => ({ header: { kid: 'elsewhere' } }),
  }
  it.each(Object.entries(changes))('[P1] is refused with %s', async (_name, change) => {
    await expect(verify(await mint())).resolves.toBeDefined()
    await expect(verify(await mint(change()))).rejects.toMatchObject(refusal)
  })

  it('[P1] is refused unsigned, signed by another issuer, or with the public key as a secret', async () => {
    const [, payload = '', signature = ''] = (await mint()).split('.')
    const [jwk] = provider.publicKeys
    const header = (alg: string) =>
      Buffer.from(JSON.stringify({ typ: 'logout+jwt', alg, kid: jwk?.kid })).toString('base64url')
    const hs256 = `${header('HS256')}.${payload}`
    for (const token of [
      `${header('none')}.${payload}.`,
      `${header('none')}.${payload}.${signature}`,
      `${hs256}.${createHmac('sha256', JSON.stringify(jwk)).update(hs256).digest('base64url')}`,
      await mint({ claims: { iss: provider.issuer } }, other),
      '',
      'a.b.c',
      `${Buffer.from('{').toString('base64url')}.${payload}.${signature}`,
    ])
      await expect(verify(token)).rejects.toMatchObject(refusal)
  })

  it('is no access token, nor an ID token, nor may it be used as one', async () => {
    const access = await provider.mint({ claims: { sid: 's1' } })
    await expect(verify(access)).rejects.toMatchObject(refusal)
    // Even for the same audience, and with an event in it.
    const claims = { aud: 'cli', events: { [event]: {} } }
    await expect(verify(await provider.mint({ claims }))).rejects.toMatchObject(refusal)
    await expect(verify(await provider.mint({ claims, header: { typ: 'logout+jwt' } }))).resolves.toBeDefined()
    const id = { claims: { nonce: 'n' }, without: ['events', 'jti'], header: { typ: undefined } }
    await expect(verify(await mint(id))).rejects.toMatchObject(refusal)

    const { bear } = testAuthentication([trust(provider)], createMemoryAuthority())
    await expect(bear(access)).resolves.toBeDefined()
    const logout = await provider.mint({ claims: { events: { [event]: {} } }, header: { typ: 'logout+jwt' } })
    await expect(bear(logout)).rejects.toMatchObject({ code: 'CREDENTIAL_INVALID' })
  })

  it('ends all sessions of its subject where access tokens do not say theirs', async () => {
    const change = { logoutEnds: 'subject' } as const
    expect(await verify(await mint(), change)).toMatchObject({ subject: 'ada', session: null })
    await expect(verify(await mint({ without: ['sub'] }), change)).rejects.toMatchObject(refusal)
  })

  it('cannot be told valid while the keys cannot be read', async () => {
    provider.misbehave.keys = (_request, response) => response.writeHead(503).end()
    await expect(verify(await mint())).rejects.toMatchObject(unavailable)
    provider.misbehave.keys = undefined
    await expect(verify(await mint())).resolves.toBeDefined()
  })
})
