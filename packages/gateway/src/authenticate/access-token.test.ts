import type { JWTPayload } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { invalid, testAuthentication, trust } from '../fixtures/authentication.ts'
import { type IdentityProvider, mcpAudience, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority, type MemoryAuthority } from '../fixtures/memory-authority.ts'
import type { IssuerConfig } from './issuer.ts'

let provider: IdentityProvider
let other: IdentityProvider
let authority: MemoryAuthority
let now = Date.now()

beforeAll(async () => {
  provider = await startIdentityProvider()
  other = await startIdentityProvider()
})
afterAll(async () => {
  await provider[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})
beforeEach(() => {
  authority = createMemoryAuthority()
  now = Date.now()
})

const configured = (change: Partial<IssuerConfig> = {}) =>
  testAuthentication([trust(provider, change)], authority, () => now)
const principalOf = async (claims: JWTPayload, change: Partial<IssuerConfig> = {}) =>
  configured(change).bear(await provider.mint({ claims }))
const seconds = () => Math.floor(now / 1000)

describe('an access token', () => {
  it.each([
    [1763856000.5, 1763856000],
    [0, 0],
    [-1, null],
    [1e300, null],
    ['1763856000', null],
    [null, null],
  ])('with an auth_time of %s says %s, which every receiver understands', async (claimed, authTime) => {
    expect(await principalOf({ auth_time: claimed })).toMatchObject({ authTime })
  })

  it('names a person whom our records know, and what they may do; [P2] nothing of it is left', async () => {
    const iat = seconds() - 10
    const token = await provider.mint({
      claims: { sid: 's1', auth_time: 1763856000, acr: 'pwd', iat: iat + 0.5, exp: iat + 300.5 },
    })
    const principal = await configured().bear(token)
    expect(principal).toMatchObject({
      issuer: provider.issuer,
      subject: 'usr_ada',
      tenant: 'acme',
      scopes: ['profile', 'orders:read'],
      facts: { tier: 'premium' },
      client: 'cli',
      session: 's1',
      authTime: 1763856000,
      acr: 'pwd',
      actor: null,
      issuedAt: iat,
      expiresAt: iat + 300,
    })
    expect(JSON.stringify(principal)).not.toContain(token.slice(0, 20))
    expect(Object.isFrozen(principal) && Object.isFrozen(principal.facts) && Object.isFrozen(principal.scopes)).toBe(
      true,
    )
  })

  // Each makes an otherwise acceptable token unacceptable; the token without the change is the twin that passes.
  const changes: Record<string, () => Parameters<IdentityProvider['mint']>[0]> = {
    'another issuer': () => ({ claims: { iss: 'https://issuer.example' } }),
    'another issuer that we trust, too': () => ({ claims: { iss: other.issuer } }),
    'no issuer': () => ({ without: ['iss'] }),
    'another audience': () => ({ claims: { aud: 'https://api.example/other' } }),
    'an audience that only begins like ours': () => ({ claims: { aud: 'https://api.example/graphql/' } }),
    'no audience': () => ({ without: ['aud'] }),
    'an empty list of audiences': () => ({ claims: { aud: [] } }),
    'typ JWT': () => ({ header: { typ: 'JWT' } }),
    'typ logout+jwt': () => ({ header: { typ: 'logout+jwt' } }),
    'no typ': () => ({ header: { typ: undefined } }),
    'a past exp': () => ({ claims: { exp: seconds() - 6 } }),
    'no exp': () => ({ without: ['exp'] }),
    'exp that is text': () => ({ claims: { exp: String(seconds() + 300) as unknown as number } }),
    'a future nbf': () => ({ claims: { nbf: seconds() + 60 } }),
    'no iat': () => ({ without: ['iat'] }),
    'an iat in the future': () => ({ claims: { iat: seconds() + 60 } }),
    'an exp more than a day after iat': () => ({ claims: { iat: seconds() - 1, exp: seconds() + 86_400 } }),
    'an exp without end': () => ({ claims: { exp: 1e300 } }),
    'no client_id': () => ({ without: ['client_id'] }),
    'an empty client_id': () => ({ claims: { client_id: '' } }),
    'no sub': () => ({ without: ['sub'] }),
    'sub that is a number': () => ({ claims: { sub: 7 as unknown as string } }),
    'an empty sub': () => ({ claims: { sub: '' } }),
    'a sub that nobody has': () => ({ claims: { sub: 'mallory' } }),
    'scope that is a list': () => ({ claims: { scope: ['orders:read'] } }),
    'scope that is null': () => ({ claims: { scope: null } }),
    'cnf (RFC 7800)': () => ({ claims: { cnf: { jkt: 'k' } } }),
  }
  it.each(Object.entries(changes))('[P1] is refused with %s', async (_name, change) => {
    const { bear } = testAuthentication([trust(provider), trust(other)], authority, () => now)
    await expect(bear(await provider.mint())).resolves.toMatchObject({ subject: 'usr_ada' })
    await expect(bear(await provider.mint(change()))).rejects.toMatchObject(invalid)
  })

  it('names its subject by a text: nothing else is looked up', async () => {
    const known = { subject: 'usr_ada', tenant: 'acme', facts: {} }
    authority.resolveSubject = async () => known
    await expect(principalOf({ sub: 'ada' })).resolves.toMatchObject({ subject: 'usr_ada' })
    for (const sub of ['', 7, null, ['ada'], { sub: 'ada' }])
      await expect(principalOf({ sub: sub as string })).rejects.toMatchObject(invalid)
  })

  it.each(['x\0', '\ud800', 'x\udc00y'])(
    '[P14] is refused with %j in it, which the database could not put on record',
    async (odd) => {
      const known = { subject: 'usr_ada', tenant: 'acme', facts: {} }
      authority.resolveSubject = async () => known
      for (const [claim, value] of [
        ['sub', odd],
        ['client_id', odd],
        ['scope', odd],
        ['act', { sub: odd }],
      ] as const) {
        await expect(principalOf({ [claim]: value })).rejects.toMatchObject(invalid)
        const plain = JSON.stringify(value).replaceAll(/\\u\w{4}/g, '\u{1f511}')
        await expect(principalOf({ [claim]: JSON.parse(plain) as unknown })).resolves.toBeDefined()
      }
      expect(await principalOf({ sid: odd, acr: odd })).toMatchObject({ session: null, acr: null })
    },
  )

  it('is signed by an algorithm that is accepted of its issuer', async () => {
    const token = await provider.mint()
    await expect(configured({ algorithms: ['PS256', 'ES256'] }).bear(token)).resolves.toBeDefined()
    await expect(configured({ algorithms: ['PS256', 'Ed25519'] }).bear(token)).rejects.toMatchObject(invalid)
  })

  it.each([
    ['an iat that is almost in the future', () => ({ iat: seconds() + 4 })],
    ['a day to live', () => ({ iat: seconds() - 1, exp: seconds() + 86_399 })],
    ['an nbf that is almost in the future', () => ({ nbf: seconds() + 4 })],
    [
      'other audiences beside ours',
      () => ({ aud: ['https://issuer.example/userinfo', 'https://api.example/graphql'] }),
    ],
    ['no scope', () => ({ scope: undefined })],
  ])('is accepted with %s', async (_name, claims) => {
    await expect(principalOf(claims())).resolves.toMatchObject({ subject: 'usr_ada' })
  })

  it('may live for less only, where the issuer is configured so', async () => {
    const claims = { iat: seconds(), exp: seconds() + 600 }
    await expect(principalOf(claims, { maxTokenAge: 600 })).resolves.toBeDefined()
    await expect(principalOf(claims, { maxTokenAge: 599 })).rejects.toMatchObject(invalid)
  })

  it('may be of type JWT only where the issuer is configured so', async () => {
    const token = await provider.mint({ header: { typ: 'JWT' } })
    await expect(configured({ typ: 'JWT' }).bear(token)).resolves.toMatchObject({ subject: 'usr_ada' })
    await expect(configured().bear(token)).rejects.toMatchObject(invalid)
  })

  it('may name client and scope by other claims, and then by no others', async () => {
    const claims = { client: 'azp', scope: 'scp' }
    const theirs = { azp: 'cli', scp: 'profile', client_id: 'cron', scope: 'orders:read' }
    expect(await principalOf(theirs, { claims })).toMatchObject({ client: 'cli', scopes: ['profile'], actor: null })
    expect(await principalOf({ scp: 'profile' })).toMatchObject({ scopes: ['profile', 'orders:read'] })
    await expect(principalOf({}, { claims })).rejects.toMatchObject(invalid)
  })

  it('is good for five seconds after exp, for clocks that differ', async () => {
    await expect(principalOf({ exp: seconds() - 4 })).resolves.toBeDefined()
    await expect(principalOf({ exp: seconds() - 5 })).rejects.toMatchObject(invalid)
  })
})

describe('[P8] who acts', () => {
  const agentOf = async (claims: JWTPayload) => (await principalOf(claims)).actor?.agent ?? null

  it('is nobody else for an interactive client, and the client where no person is in front of it', async () => {
    expect(await agentOf({ client_id: 'cli' })).toBeNull()
    expect((await principalOf({ client_id: 'cron' })).actor).toEqual({
      agent: 'cron',
      delegation: null,
      run: null,
      tool: null,
      call: null,
      parent: null,
    })
  })

  it('is whom `act` names, even for an interactive client, and the outermost of several', async () => {
    expect(await agentOf({ act: { sub: 'assistant' } })).toBe('assistant')
    expect(await agentOf({ act: { sub: 'assistant', act: { sub: 'inner' } } })).toBe('assistant')
    expect(await agentOf({ client_id: 'cron', act: { sub: 'assistant' } })).toBe('assistant')
    expect(await agentOf({ act: { sub: 'cli' } })).toBe('cli')
    expect(await agentOf({ may_act: { sub: 'assistant' } })).toBeNull()
  })

  it.each([
    [{}],
    [[]],
    [[{ sub: 'assistant' }]],
    ['assistant'],
    [null],
    [false],
    [{ sub: '' }],
    [{ sub: 7 }],
    [{ sub: null }],
    [{ sub: ['assistant'] }],
    [{ act: { sub: 'assistant' } }],
    [{ client_id: 'assistant' }],
  ])('is never taken for a person by an `act` of %j', async (act) => {
    await expect(principalOf({ act: { sub: 'assistant' } })).resolves.toBeDefined()
    await expect(principalOf({ act })).rejects.toMatchObject(invalid)
  })

  it('is a client that has no user (RFC 9068 2.2), and then only one that our records know', async () => {
    await expect(principalOf({ sub: 'cli' })).rejects.toMatchObject(invalid)
    authority.people.set('cli', { subject: 'usr_cli', tenant: 'acme', facts: {} })
    expect(await principalOf({ sub: 'cli' })).toMatchObject({ subject: 'usr_cli', actor: { agent: 'cli' } })
    expect(await principalOf({ sub: 'ada' })).toMatchObject({ subject: 'usr_ada', actor: null })
  })

  it('is the client of everything that comes to /mcp', async () => {
    const bear = async (claims: JWTPayload) =>
      (await configured().bear(await provider.mint({ claims: { aud: mcpAudience, ...claims } }), 'mcp')).actor?.agent
    expect(await bear({ client_id: 'cli' })).toBe('cli')
    expect(await bear({ client_id: 'mcp-client' })).toBe('mcp-client')
    expect(await bear({ client_id: 'cli', act: { sub: 'assistant' } })).toBe('assistant')
  })
})
