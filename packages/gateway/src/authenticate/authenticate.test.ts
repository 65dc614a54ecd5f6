import { AppError } from '@behalf/identity'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { invalid, testAuthentication, trust } from '../fixtures/authentication.ts'
import { audience, type IdentityProvider, mcpAudience, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority, type MemoryAuthority } from '../fixtures/memory-authority.ts'
import { createAuthenticate } from './authenticate.ts'
import type { IssuerConfig } from './issuer.ts'
import { createIssuers } from './issuers.ts'

let provider: IdentityProvider
let authority: MemoryAuthority
let now = Date.now()

beforeAll(async () => {
  provider = await startIdentityProvider()
})
afterAll(() => provider[Symbol.asyncDispose]())
beforeEach(() => {
  authority = createMemoryAuthority()
  now = Date.now()
  provider.asked.length = 0
})

const configured = (change: Partial<IssuerConfig> = {}) =>
  testAuthentication([trust(provider, change)], authority, () => now)
const seconds = () => Math.floor(now / 1000)

describe('[P1] a token', () => {
  const forAudience = (aud: string | string[]) => provider.mint({ claims: { aud } })

  it('for /mcp is refused at /graphql, and the other way round, seen before or not', async () => {
    const { bear } = configured()
    const graphql = await forAudience(audience)
    const mcp = await forAudience([mcpAudience])
    for (let round = 0; round < 2; round++) {
      await expect(bear(mcp, 'graphql')).rejects.toMatchObject(invalid)
      await expect(bear(graphql, 'mcp')).rejects.toMatchObject(invalid)
      await expect(bear(graphql, 'graphql')).resolves.toBeDefined()
      await expect(bear(mcp, 'mcp')).resolves.toBeDefined()
    }
  })

  it('for both is good for neither', async () => {
    const both = await forAudience([audience, mcpAudience])
    await expect(configured().bear(both, 'graphql')).rejects.toMatchObject(invalid)
    await expect(configured().bear(both, 'mcp')).rejects.toMatchObject(invalid)
    await expect(configured({ audiences: { graphql: audience } }).bear(both, 'graphql')).resolves.toBeDefined()
  })

  it('is none for /mcp where the issuer has no audience for it', async () => {
    const { bear } = configured({ audiences: { graphql: audience } })
    await expect(bear(await forAudience(mcpAudience), 'mcp')).rejects.toMatchObject(invalid)
    for (const change of [{ claims: { aud: 'undefined' } }, { claims: { aud: [] } }, { without: ['aud'] }]) {
      const token = await provider.mint(change)
      await expect(bear(token, 'mcp')).rejects.toMatchObject(invalid)
    }
    await expect(bear(await forAudience(audience), 'graphql')).resolves.toBeDefined()
  })

  it('of each of several issuers is verified by that one, for its own audience', async () => {
    const other = await startIdentityProvider()
    const { bear } = testAuthentication(
      [trust(provider), trust(other, { audiences: { graphql: 'api' }, interactiveClients: [] })],
      authority,
      () => now,
    )
    await expect(bear(await provider.mint())).resolves.toMatchObject({ issuer: provider.issuer, actor: null })
    const theirs = await other.mint({ claims: { aud: 'api' } })
    await expect(bear(theirs)).resolves.toMatchObject({ issuer: other.issuer, actor: { agent: 'cli' } })
    await expect(bear(await other.mint())).rejects.toMatchObject(invalid)
    await expect(bear(await provider.mint({ claims: { aud: 'api' } }))).rejects.toMatchObject(invalid)
    await other[Symbol.asyncDispose]()
  })

  it('names somebody of its own issuer: the same `sub` of two issuers is two people', async () => {
    const other = await startIdentityProvider()
    authority.resolveSubject = async ({ issuer, subject }) =>
      subject === 'ada' ? { subject: issuer === other.issuer ? 'usr_two' : 'usr_one', tenant: 'acme', facts: {} } : null
    const { bear } = testAuthentication([trust(provider), trust(other)], authority, () => now)
    await expect(bear(await provider.mint())).resolves.toMatchObject({ subject: 'usr_one' })
    await expect(bear(await other.mint())).resolves.toMatchObject({ subject: 'usr_two' })
    await other[Symbol.asyncDispose]()
  })
})

describe('[P8] scopes that agents may not have', () => {
  it('are withheld from them, by what our records say of the user, and not from people', async () => {
    const authenticate = createAuthenticate({
      issuers: createIssuers([trust(provider)], () => now),
      authority,
      agentScopes: ({ subject }, scope) => !(subject === 'usr_ada' && scope === 'orders:write'),
      clock: () => now,
    })
    const scopesOf = async (claims: Record<string, unknown>) => {
      const token = await provider.mint({ claims: { scope: 'orders:read orders:write', ...claims } })
      const headers = ['Authorization', `Bearer ${token}`]
      return (await authenticate({ rawHeaders: headers, url: '/graphql' }, 'graphql')).scopes
    }
    expect(await scopesOf({})).toEqual(['orders:read', 'orders:write'])
    expect(await scopesOf({ client_id: 'some-program' })).toEqual(['orders:read'])
  })
})

describe('a token that was verified', () => {
  it('is not verified again', async () => {
    const issuer = createIssuers([trust(provider)], () => now).of(await provider.mint())
    const verify = vi.fn<typeof issuer.verify>(issuer.verify)
    const authenticate = createAuthenticate({ issuers: { of: () => ({ ...issuer, verify }) }, authority })
    const show = (token: string) =>
      authenticate({ rawHeaders: ['Authorization', `Bearer ${token}`], url: '/graphql' }, 'graphql')
    const token = await provider.mint()
    await show(token)
    await show(token)
    expect(verify).toHaveBeenCalledTimes(1)
    await show(await provider.mint())
    expect(verify).toHaveBeenCalledTimes(2)
  })

  it('ends five seconds after its exp, and not a millisecond later', async () => {
    const { bear } = configured()
    const exp = seconds() + 60
    const token = await provider.mint({ claims: { exp } })
    await bear(token)
    now = (exp + 5) * 1000 - 1
    await expect(bear(token)).resolves.toBeDefined()
    now += 1
    await expect(bear(token)).rejects.toMatchObject(invalid)
  })

  it('names somebody who is looked up again after five seconds', async () => {
    const { bear } = configured()
    const token = await provider.mint()
    await bear(token)
    now += 5000
    await bear(token)
    expect(authority.lookups).toBe(1)
    now += 1
    await bear(token)
    expect(authority.lookups).toBe(2)
  })

  it('names them as they are then: others in tenant, facts or name are not taken for who they were', async () => {
    const { bear } = configured()
    const token = await provider.mint()
    const before = await bear(token)
    expect(await bear(token)).toBe(before)
    now += 5001
    authority.people.set('ada', { subject: 'usr_ada', tenant: 'other', facts: { tier: 'basic' } })
    await expect(bear(token)).resolves.toMatchObject({ tenant: 'other', facts: { tier: 'basic' } })
  })

  it('is good to its end, and for as long as its subject is somebody', async () => {
    const { bear } = configured()
    const token = await provider.mint({ claims: { exp: seconds() + 60 } })
    await bear(token)
    expect(provider.asked).toEqual(['/.well-known/openid-configuration', '/jwks'])

    // Nobody could verify it any more: only the cache knows it.
    provider.misbehave.keys = (_request, response) => response.writeHead(500).end()
    now += 4000
    await expect(bear(token)).resolves.toBeDefined()
    expect(authority.lookups).toBe(1)

    now += 2000
    authority.people.delete('ada')
    await expect(bear(token)).rejects.toMatchObject(invalid)
    authority.people.set('ada', { subject: 'usr_ada', tenant: 'acme', facts: {} })
    await expect(bear(token)).resolves.toMatchObject({ facts: {} })

    now += 58_000
    await expect(bear(token)).resolves.toBeDefined()
    now += 2000
    await expect(bear(token)).rejects.toMatchObject(invalid)
    provider.misbehave.keys = undefined
  })

  it('is refused once its key is no longer its issuer’s, within a minute', async () => {
    const own = await startIdentityProvider()
    const { bear } = testAuthentication([trust(own)], authority, () => now)
    const old = await own.mint()
    await bear(old)
    // Another key comes besides: what the first has signed stays good.
    await own.rotate()
    const fresh = await own.mint()
    now += 60_000
    await expect(bear(old)).resolves.toBeDefined()
    await expect(bear(fresh)).resolves.toBeDefined()
    own.publicKeys.shift()
    now += 60_000
    await expect(bear(old)).rejects.toMatchObject(invalid)
    await expect(bear(fresh)).resolves.toBeDefined()
    await own[Symbol.asyncDispose]()
  })

  it('is of no use while we cannot tell who it names', async () => {
    const { bear } = configured()
    const token = await provider.mint()
    authority.down = true
    await expect(bear(token)).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503 })
    authority.down = false
    await expect(bear(token)).resolves.toBeDefined()
  })

  it.each([new AppError('RATE_LIMITED'), Object.assign(new Error('the records are broken'), { code: 'UNAVAILABLE' })])(
    'does not go on because of another error than that: %s',
    async (error) => {
      const { bear } = configured()
      const token = await provider.mint()
      await bear(token)
      const { resolveSubject } = authority
      authority.resolveSubject = async () => {
        throw error
      }
      now += 6000
      await expect(bear(token)).rejects.toBe(error)
      authority.resolveSubject = resolveSubject
      await expect(bear(token)).resolves.toMatchObject({ subject: 'usr_ada' })
    },
  )

  it('goes on for a minute while we cannot tell whether it still names somebody, and no longer once we can', async () => {
    const { bear } = configured()
    const token = await provider.mint()
    await bear(token)
    authority.down = true
    now += 59_000
    await expect(bear(token)).resolves.toMatchObject({ subject: 'usr_ada' })
    now += 2000
    await expect(bear(token)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    authority.down = false
    await expect(bear(token)).resolves.toMatchObject({ subject: 'usr_ada' })
    now += 6000
    authority.people.delete('ada')
    await expect(bear(token)).rejects.toMatchObject(invalid)
    authority.down = true
    await expect(bear(token)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    authority.down = false
  })
})
