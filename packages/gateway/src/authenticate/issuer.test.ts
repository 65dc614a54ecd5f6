import type { JWTPayload } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { invalid, testAuthentication, trust } from '../fixtures/authentication.ts'
import { audience, type IdentityProvider, mcpAudience, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority } from '../fixtures/memory-authority.ts'
import { createIssuer, type IssuerConfig } from './issuer.ts'
import { createIssuers } from './issuers.ts'

let provider: IdentityProvider
beforeAll(async () => {
  provider = await startIdentityProvider()
})
afterAll(() => provider[Symbol.asyncDispose]())

const principalOf = async (claims: JWTPayload, change: Partial<IssuerConfig> = {}) =>
  testAuthentication([trust(provider, change)], createMemoryAuthority()).bear(await provider.mint({ claims }))

describe('what an issuer may say', () => {
  it('of a tenant must agree with our records', async () => {
    const claims = { tenant: 'org' }
    await expect(principalOf({ org: 'acme' }, { claims })).resolves.toMatchObject({ tenant: 'acme' })
    for (const org of ['globex', '', null, ['acme'], undefined])
      await expect(principalOf({ org }, { claims })).rejects.toMatchObject(invalid)
  })

  it('is bounded to its tenants and scopes', async () => {
    await expect(principalOf({}, { tenants: ['globex', 'acme'] })).resolves.toBeDefined()
    await expect(principalOf({}, { tenants: ['globex'] })).rejects.toMatchObject(invalid)
    expect((await principalOf({}, { scopes: ['profile'] })).scopes).toEqual(['profile'])
    expect((await principalOf({ scope: ' profile  profile ' })).scopes).toEqual(['profile'])
  })
})

describe('[P8] roles', () => {
  const claims = { roles: 'groups' }
  const roles = { support: ['users:read', 'profile'], auditor: ['audit:read'] }
  const scopesOf = async (more: JWTPayload, change: Partial<IssuerConfig> = {}) =>
    (await principalOf({ scope: 'profile', ...more }, { claims, roles, ...change })).scopes

  it('widen what a person may do by the scopes that are configured for them', async () => {
    expect(await scopesOf({ groups: ['support'] })).toEqual(['profile', 'users:read'])
    expect(await scopesOf({ groups: ['support', 'auditor'] })).toEqual(['profile', 'users:read', 'audit:read'])
    expect(await scopesOf({ groups: [] })).toEqual(['profile'])
    expect(await scopesOf({})).toEqual(['profile'])
  })

  it('count only as configured', async () => {
    expect(await scopesOf({ groups: ['admin', 'users:read', '__proto__', 'constructor', 'toString'] })).toEqual([
      'profile',
    ])
    expect(await scopesOf({ roles: ['support'] })).toEqual(['profile'])
    expect(await scopesOf({ groups: ['support'] }, { claims: {} })).toEqual(['profile'])
    expect(await scopesOf({ groups: ['support'] }, { roles: {} })).toEqual(['profile'])
  })

  it('never grant more than their issuer may', async () => {
    expect(await scopesOf({ groups: ['support', 'auditor'] }, { scopes: ['profile', 'audit:read'] })).toEqual([
      'profile',
      'audit:read',
    ])
  })

  it('give nothing to an agent', async () => {
    expect(await scopesOf({ groups: ['support'], client_id: 'cron' })).toEqual(['profile'])
    expect(await scopesOf({ groups: ['support'], act: { sub: 'assistant' } })).toEqual(['profile'])
    const token = await provider.mint({ claims: { aud: mcpAudience, scope: 'profile', groups: ['support'] } })
    const { bear } = testAuthentication([trust(provider, { claims, roles })], createMemoryAuthority())
    expect((await bear(token, 'mcp')).scopes).toEqual(['profile'])
  })

  it('are no facts: those are what our records say', async () => {
    expect((await principalOf({ groups: ['support'] }, { claims, roles })).facts).toMatchObject({ roles: ['customer'] })
  })

  it.each(['support', { support: true }, [7], [''], null])('that are %j are not guessed', async (groups) => {
    await expect(scopesOf({ groups: ['support'] })).resolves.toBeDefined()
    await expect(scopesOf({ groups })).rejects.toMatchObject(invalid)
  })
})

describe('an issuer', () => {
  const create =
    (...changes: Partial<IssuerConfig>[]) =>
    () =>
      createIssuers(changes.map((change) => trust(provider, change)))

  it.each<[string, Partial<IssuerConfig>]>([
    ['must be https', { issuer: 'http://issuer.example' }],
    ['must be https', { issuer: 'http://127.0.0.1.example' }],
    ['HS256', { algorithms: ['ES256', 'HS256'] }],
    ['none', { algorithms: ['none'] }],
    ['RS256x', { algorithms: ['RS256x'] }],
    ['empty', { audiences: { graphql: '' } }],
    ['empty', { audiences: { graphql: audience, mcp: '' } }],
    ['the same audience', { audiences: { graphql: audience, mcp: audience } }],
    ['cli', { audiences: { graphql: 'cli' } }],
    ['cli', { audiences: { graphql: audience, mcp: 'cli' } }],
    ['portal', { audiences: { graphql: 'portal' }, logoutClients: ['portal'] }],
    ['seconds', { maxTokenAge: 0 }],
    ['seconds', { maxTokenAge: 86_401 }],
    ['seconds', { maxTokenAge: Number.NaN }],
  ])('is refused where nothing could be trusted: %s, %j', (message, change) => {
    expect(create(change)).toThrow(message)
  })

  it('verifies no token of another that has the same key', async () => {
    const { verify } = createIssuer(trust(provider))
    await expect(verify(await provider.mint())).resolves.toBeDefined()
    for (const change of [{ claims: { iss: 'https://issuer.example' } }, { without: ['iss'] }])
      await expect(verify(await provider.mint(change))).rejects.toMatchObject(invalid)
  })

  it('is accepted without that, once', () => {
    expect(create({}, { issuer: 'https://issuer.example' })).not.toThrow()
    expect(create({ audiences: { graphql: audience }, algorithms: ['ES256', 'ML-DSA-65'] })).not.toThrow()
    expect(create({ maxTokenAge: 86_400 })).not.toThrow()
    expect(create({}, {})).toThrow('twice')
  })
})
