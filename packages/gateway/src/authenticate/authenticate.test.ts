import { createHmac, createPublicKey } from 'node:crypto'
import { anonymousSubject } from '@behalf/identity'
import fc from 'fast-check'
import type { JWTPayload } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { audience, type IdentityProvider, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority, type MemoryAuthority } from '../fixtures/memory-authority.ts'
import { type Authenticate, createAuthenticate } from './authenticate.ts'
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
  provider.asked.length = 0
})

const configured = (change: Partial<IssuerConfig> = {}): Authenticate =>
  createAuthenticate({
    issuers: [{ issuer: provider.issuer, audience, interactiveClients: ['cli'], ...change }],
    authority,
    clock: () => now,
  })
const bearer = (token: string) => ({ rawHeaders: ['Host', 'x', 'Authorization', `Bearer ${token}`], url: '/graphql' })
const seconds = () => Math.floor(now / 1000)
const invalid = { code: 'CREDENTIAL_INVALID', status: 401 }
const unsupported = { code: 'CREDENTIAL_UNSUPPORTED', status: 401 }

describe('an access token', () => {
  it.each([
    [1763856000.5, 1763856000],
    [0, 0],
    [-1, null],
    [1e300, null],
    ['1763856000', null],
    [null, null],
  ])('with an auth_time of %s says %s, which every receiver understands', async (claimed, authTime) => {
    const token = await provider.mint({ claims: { auth_time: claimed } })
    expect(await configured()(bearer(token))).toMatchObject({ authTime })
  })

  it('names a person whom our records know, and what they may do', async () => {
    const token = await provider.mint({ claims: { sid: 's1', auth_time: 1763856000, acr: 'pwd' } })
    const principal = await configured()(bearer(token))
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
    'another audience': () => ({ claims: { aud: 'https://api.example/mcp' } }),
    'no audience': () => ({ without: ['aud'] }),
    'typ JWT': () => ({ header: { typ: 'JWT' } }),
    'no typ': () => ({ header: { typ: undefined } }),
    'a past exp': () => ({ claims: { exp: seconds() - 6 } }),
    'no exp': () => ({ without: ['exp'] }),
    'exp that is text': () => ({ claims: { exp: String(seconds() + 300) as unknown as number } }),
    'a future nbf': () => ({ claims: { nbf: seconds() + 60 } }),
    'no iat': () => ({ without: ['iat'] }),
    'no client_id': () => ({ without: ['client_id'] }),
    'an empty client_id': () => ({ claims: { client_id: '' } }),
    'no sub': () => ({ without: ['sub'] }),
    'sub that is a number': () => ({ claims: { sub: 7 as unknown as string } }),
    'an empty sub': () => ({ claims: { sub: '' } }),
    'a sub that nobody has': () => ({ claims: { sub: 'mallory' } }),
    'scope that is a list': () => ({ claims: { scope: ['orders:read'] } }),
    'cnf (RFC 7800)': () => ({ claims: { cnf: { jkt: 'k' } } }),
    'act without sub': () => ({ claims: { act: {} } }),
    'act that is text': () => ({ claims: { act: 'assistant' } }),
    'an unknown kid': () => ({ header: { kid: 'elsewhere' } }),
    'a critical extension': () => ({ header: { crit: ['exp2'], exp2: 1 } }),
  }
  it.each(Object.entries(changes))('is refused with %s', async (_name, change) => {
    const authenticate = createAuthenticate({
      issuers: [provider, other].map(({ issuer }) => ({ issuer, audience, interactiveClients: ['cli'] })),
      authority,
      clock: () => now,
    })
    await expect(authenticate(bearer(await provider.mint()))).resolves.toMatchObject({ subject: 'usr_ada' })
    const token = await provider.mint(change())
    await expect(authenticate(bearer(token))).rejects.toMatchObject(invalid)
  })

  it('may be of type JWT only where the issuer is configured so', async () => {
    const token = await provider.mint({ header: { typ: 'JWT' } })
    await expect(configured({ typ: 'JWT' })(bearer(token))).resolves.toMatchObject({ subject: 'usr_ada' })
    await expect(configured()(bearer(token))).rejects.toMatchObject(invalid)
  })

  it('is good for five seconds after exp, for clocks that differ', async () => {
    await expect(configured()(bearer(await provider.mint({ claims: { exp: seconds() - 4 } })))).resolves.toBeDefined()
  })

  it('is refused unsigned, signed with the public key as a secret, or with an algorithm that is not accepted', async () => {
    const [, payload = '', signature = ''] = (await provider.mint()).split('.')
    const [jwk] = provider.publicKeys
    const pem = createPublicKey({ key: { ...jwk }, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    const header = (alg: string) =>
      Buffer.from(JSON.stringify({ typ: 'at+jwt', alg, kid: jwk?.kid })).toString('base64url')
    const hs256 = `${header('HS256')}.${payload}`
    for (const token of [
      `${header('none')}.${payload}.`,
      `${header('none')}.${payload}.${signature}`,
      `${hs256}.${createHmac('sha256', pem).update(hs256).digest('base64url')}`,
      `${hs256}.${createHmac('sha256', JSON.stringify(jwk)).update(hs256).digest('base64url')}`,
    ]) {
      await expect(configured()(bearer(token))).rejects.toMatchObject(invalid)
    }
    const token = await provider.mint()
    await expect(configured({ algorithms: ['ES256'] })(bearer(token))).resolves.toBeDefined()
    await expect(configured({ algorithms: ['PS256', 'Ed25519'] })(bearer(token))).rejects.toMatchObject(invalid)
  })

  it('is refused with any character altered', async () => {
    const authenticate = configured()
    const token = await provider.mint()
    await authenticate(bearer(token))
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/~ '
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...alphabet.split('')), async (index, character) => {
        fc.pre(token[index] !== character)
        const altered = token.slice(0, index) + character + token.slice(index + 1)
        await expect(authenticate(bearer(altered))).rejects.toMatchObject({ status: 401 })
      }),
      { numRuns: 500 },
    )
    // Every spelling of the last character of each part, of which some decode to the same bytes.
    for (const end of [...token.matchAll(/.(?=\.|$)/g)].map(({ index }) => index)) {
      for (const character of alphabet.replace(token.charAt(end), '')) {
        const altered = token.slice(0, end) + character + token.slice(end + 1)
        await expect(authenticate(bearer(altered))).rejects.toMatchObject({ status: 401 })
      }
    }
  })
})

describe('how a credential is shown', () => {
  it('is one Bearer header; none is anonymous', async () => {
    const authenticate = configured()
    const token = await provider.mint()
    const show = (...rawHeaders: string[]) => authenticate({ rawHeaders, url: '/graphql' })
    await expect(show('authorization', `bearer ${token}`)).resolves.toMatchObject({ subject: 'usr_ada' })
    await expect(
      show('cookie', token, 'x-user-id', 'usr_ada', 'txn-token', token, 'forwarded', token),
    ).resolves.toMatchObject({
      subject: anonymousSubject,
      tenant: null,
      scopes: [],
      actor: null,
    })
    for (const headers of [
      ['authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`],
      ['authorization', `Bearer ${token}, Bearer ${token}`],
      ['authorization', `DPoP ${token}`],
      ['authorization', 'Basic YWRhOmFkYQ=='],
      ['authorization', ''],
      ['authorization', token],
      ['authorization', 'Bearer '],
    ]) {
      await expect(show(...headers)).rejects.toMatchObject(unsupported)
    }
  })

  it('is never in the URL', async () => {
    const authenticate = configured()
    const token = await provider.mint()
    for (const url of [`/graphql?access_token=${token}`, `/graphql?query=%7Ba%7D&access%5Ftoken=${token}`]) {
      await expect(authenticate({ rawHeaders: [], url })).rejects.toMatchObject(unsupported)
      await expect(authenticate({ ...bearer(token), url })).rejects.toMatchObject(unsupported)
    }
    await expect(authenticate({ ...bearer(token), url: '/graphql?query=%7Baccess_token%7D' })).resolves.toBeDefined()
  })

  it('is at most 8 KiB', async () => {
    const authenticate = configured()
    await expect(
      authenticate(bearer(await provider.mint({ claims: { pad: 'x'.repeat(5000) } }))),
    ).resolves.toBeDefined()
    await expect(
      authenticate(bearer(await provider.mint({ claims: { pad: 'x'.repeat(6200) } }))),
    ).rejects.toMatchObject(invalid)
  })
})

describe('who acts', () => {
  const actorOf = async (claims: JWTPayload) => (await configured()(bearer(await provider.mint({ claims })))).actor

  it('is nobody else for an interactive client, and the client where no person is in front of it', async () => {
    expect(await actorOf({ client_id: 'cli' })).toBeNull()
    expect(await actorOf({ client_id: 'cron' })).toEqual({
      agent: 'cron',
      delegation: null,
      run: null,
      tool: null,
      call: null,
      parent: null,
    })
  })

  it('is whom `act` names, even for an interactive client', async () => {
    expect(await actorOf({ client_id: 'cli', act: { sub: 'assistant', act: { sub: 'inner' } } })).toMatchObject({
      agent: 'assistant',
    })
  })
})

describe('what an issuer may say', () => {
  it('of a tenant must agree with our records', async () => {
    const authenticate = configured({ claims: { tenant: 'org' } })
    await expect(authenticate(bearer(await provider.mint({ claims: { org: 'acme' } })))).resolves.toMatchObject({
      tenant: 'acme',
    })
    await expect(authenticate(bearer(await provider.mint({ claims: { org: 'globex' } })))).rejects.toMatchObject(
      invalid,
    )
    await expect(authenticate(bearer(await provider.mint()))).rejects.toMatchObject(invalid)
  })

  it('is bounded to its tenants and scopes', async () => {
    const token = await provider.mint()
    await expect(configured({ tenants: ['acme'] })(bearer(token))).resolves.toBeDefined()
    await expect(configured({ tenants: ['globex'] })(bearer(token))).rejects.toMatchObject(invalid)
    expect((await configured({ scopes: ['profile'] })(bearer(token))).scopes).toEqual(['profile'])
  })

  it('counts only over https or loopback, with public key algorithms, for a named audience, once', () => {
    const create =
      (...changes: Partial<IssuerConfig>[]) =>
      () =>
        createAuthenticate({
          issuers: changes.map((change) => ({ issuer: provider.issuer, audience, interactiveClients: [], ...change })),
          authority,
        })
    expect(create({}, { issuer: 'https://issuer.example' })).not.toThrow()
    expect(create({ issuer: 'http://issuer.example' })).toThrow('must be https')
    expect(create({ issuer: 'http://127.0.0.1.example' })).toThrow('must be https')
    expect(create({ algorithms: ['HS256'] })).toThrow('HS256')
    expect(create({ algorithms: ['none'] })).toThrow('none')
    expect(create({ audience: '' })).toThrow('audience')
    expect(create({}, {})).toThrow('twice')
  })
})

describe('a token that was verified', () => {
  it('is not verified again, but its end and its subject are looked at', async () => {
    const authenticate = configured()
    const token = await provider.mint({ claims: { exp: seconds() + 60 } })
    await authenticate(bearer(token))
    expect(provider.asked).toEqual(['/.well-known/openid-configuration', '/jwks'])

    // Nobody could verify it any more: only the cache knows it.
    provider.misbehave.keys = (_request, response) => response.writeHead(500).end()
    now += 4000
    await expect(authenticate(bearer(token))).resolves.toBeDefined()
    expect(authority.lookups).toBe(1)

    now += 2000
    authority.people.delete('ada')
    await expect(authenticate(bearer(token))).rejects.toMatchObject(invalid)
    authority.people.set('ada', { subject: 'usr_ada', tenant: 'acme', facts: {} })
    await expect(authenticate(bearer(token))).resolves.toMatchObject({ facts: {} })

    now += 58_000
    await expect(authenticate(bearer(token))).resolves.toBeDefined()
    now += 2000
    await expect(authenticate(bearer(token))).rejects.toMatchObject(invalid)
    provider.misbehave.keys = undefined
  })

  it('is of no use while we cannot tell who it names', async () => {
    const authenticate = configured()
    const token = await provider.mint()
    authority.down = true
    await expect(authenticate(bearer(token))).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503 })
    authority.down = false
    await expect(authenticate(bearer(token))).resolves.toBeDefined()
  })

  it('goes on for a minute while we cannot tell whether it still names somebody, and no longer once we can', async () => {
    const authenticate = configured()
    const token = await provider.mint()
    await authenticate(bearer(token))
    authority.down = true
    now += 59_000
    await expect(authenticate(bearer(token))).resolves.toMatchObject({ subject: 'usr_ada' })
    now += 2000
    await expect(authenticate(bearer(token))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    authority.down = false
    await expect(authenticate(bearer(token))).resolves.toMatchObject({ subject: 'usr_ada' })
    now += 6000
    authority.people.delete('ada')
    await expect(authenticate(bearer(token))).rejects.toMatchObject(invalid)
    authority.down = true
    await expect(authenticate(bearer(token))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    authority.down = false
  })
})
