import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { invalid, trust, unavailable } from '../fixtures/authentication.ts'
import { type IdentityProvider, type Misbehaviour, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createIssuer, type Issuer } from './issuer.ts'
import { createIssuerKeys } from './issuer-keys.ts'

const discovery = '/.well-known/openid-configuration'

const providers: IdentityProvider[] = []
let provider: IdentityProvider
let issuer: Issuer
let now = Date.now()

beforeEach(async () => {
  now = Date.now()
  provider = await provided()
  issuer = issuerAt(provider)
})
afterAll(() => Promise.all(providers.map((each) => each[Symbol.asyncDispose]())))

async function provided(): Promise<IdentityProvider> {
  const started = await startIdentityProvider()
  providers.push(started)
  return started
}
const issuerAt = (at: IdentityProvider) => createIssuer(trust(at), () => now)
const verified = (token: string) =>
  issuer.verify(token).then(
    ({ claims }) => claims.sub,
    () => null,
  )
const keyReads = () => provider.asked.filter((path) => path === '/jwks').length

describe('keys of an issuer', () => {
  it('are read once for all tokens', async () => {
    await Promise.all(Array.from({ length: 20 }, async () => issuer.verify(await provider.mint())))
    await issuer.verify(await provider.mint())
    expect(provider.asked).toEqual([discovery, '/jwks'])
  })

  it('are read again for a key that is not there: once, however many tokens name it', async () => {
    await issuer.verify(await provider.mint())
    now += 5000
    await provider.rotate()
    await expect(verified(await provider.mint())).resolves.toBe('ada')
    expect(keyReads()).toBe(2)

    // A flood of names, each its own: one read for all of every five seconds.
    for (const expected of [3, 4]) {
      now += 5000
      const unknown = await Promise.all(
        Array.from({ length: 50 }, (_, index) => provider.mint({ header: { kid: `elsewhere-${expected}-${index}` } })),
      )
      const refusals = await Promise.all(unknown.map((token) => issuer.verify(token).catch((error: unknown) => error)))
      for (const refusal of refusals) expect(refusal).toMatchObject(invalid)
      await expect(issuer.verify(unknown[0] ?? '')).rejects.toMatchObject(invalid)
      expect(keyReads()).toBe(expected)
    }
    now += 4999
    await expect(issuer.verify(await provider.mint({ header: { kid: 'late' } }))).rejects.toMatchObject(invalid)
    expect(keyReads()).toBe(4)
  })

  it('of which several fit a token without kid do not verify it', async () => {
    const token = await provider.mint({ header: { kid: undefined } })
    await expect(issuer.verify(token)).resolves.toBeDefined()
    await provider.rotate()
    await expect(issuerAt(provider).verify(token)).rejects.toMatchObject(invalid)
  })

  it('that are in use are read anew every half minute, behind the back of whoever uses them, once', async () => {
    const token = await provider.mint()
    await issuer.verify(token)
    now += 29_999
    await issuer.verify(token)
    expect(keyReads()).toBe(1)
    let answer = () => {}
    const held = new Promise<void>((resolve) => (answer = resolve))
    provider.misbehave.keys = (_request, response) =>
      void held.then(() => response.end(JSON.stringify({ keys: provider.publicKeys })))
    now += 1
    for (let index = 0; index < 20; index++) await issuer.verify(token)
    await expect.poll(keyReads).toBe(2)
    answer()
    provider.misbehave.keys = undefined
  })

  it('[P1] that were taken away verify nothing any more a minute later, in use or not', async () => {
    for (const pauses of [[60_000], [20_000, 20_000, 20_000], [600_000]]) {
      const own = await provided()
      const at = issuerAt(own)
      const old = await own.mint({ claims: { exp: Math.floor(now / 1000) + 7200 } })
      const { key } = await at.verify(old)
      expect(await at.holds(key)).toBe(true)
      own.publicKeys.length = 0
      await own.rotate()
      for (const pause of pauses) {
        now += pause
        await at.verify(old).catch(() => null)
      }
      await expect(at.verify(old)).rejects.toMatchObject(invalid)
      expect(await at.holds(key)).toBe(false)
      const fresh = await own.mint({ claims: { exp: Math.floor(now / 1000) + 300 } })
      await expect(at.verify(fresh)).resolves.toBeDefined()
    }
  })

  it('that stay the same stay in use, in whatever order they are given', async () => {
    await provider.rotate()
    const { key } = await issuer.verify(await provider.mint())
    provider.publicKeys.reverse()
    now += 60_000
    expect(await issuer.holds(key)).toBe(true)
    expect(keyReads()).toBe(2)
  })
})

describe('while the key server is down', () => {
  const down: Misbehaviour = (_request, response) => response.writeHead(503).end()

  it.each(['discovery', 'keys'] as const)(
    'for ten minutes (%s), known keys serve and nobody else gets in',
    async (part) => {
      const known = await provider.mint({ claims: { exp: Math.floor(now / 1000) + 7200 } })
      const { key } = await issuer.verify(known)
      await provider.rotate()
      const unknown = await provider.mint({ claims: { exp: Math.floor(now / 1000) + 7200 } })
      provider.misbehave[part] = down
      const before = provider.asked.length
      for (let second = 0; second < 600; second += 5) {
        now += 5000
        await expect(issuer.verify(known)).resolves.toBeDefined()
        expect(await issuer.holds(key)).toBe(true)
        await expect(issuer.verify(unknown)).rejects.toMatchObject(unavailable)
      }
      // At first a few attempts, then two a minute; each is of one or two documents.
      const attempts = provider.asked.slice(before).filter((path) => path === discovery).length
      expect(attempts).toBeGreaterThan(20)
      expect(attempts).toBeLessThan(60)

      provider.misbehave[part] = undefined
      now += 30_000
      await expect.poll(() => verified(unknown)).toBe('ada')
      await expect(issuer.verify(known)).resolves.toBeDefined()
    },
  )

  it('known keys serve for an hour since they were read, without a wait, and no longer', async () => {
    const long = await provider.mint({ claims: { exp: Math.floor(now / 1000) + 7200 } })
    const { key } = await issuer.verify(long)
    provider.misbehave.discovery = down
    now += 3_599_999
    await expect(issuer.verify(long)).resolves.toBeDefined()
    expect(await issuer.holds(key)).toBe(true)
    now += 1
    await expect(issuer.verify(long)).rejects.toMatchObject(unavailable)
    await expect(issuer.holds(key)).rejects.toMatchObject(unavailable)
    provider.misbehave.discovery = undefined
    now += 30_000
    await expect(issuer.verify(long)).resolves.toBeDefined()
  })

  it.each([0, 0.5, 0.999])(
    'attempts have a pause between them that doubles up to half a minute, spread by %d',
    async (share) => {
      let asked = 0
      const keys = createIssuerKeys({
        issuer: 'https://issuer.example',
        algorithms: ['ES256'],
        fetch: async () => {
          asked++
          throw new Error('down')
        },
        clock: () => now,
        random: () => share,
      })
      const attempt = () => keys.find({ alg: 'ES256' }, { payload: '', signature: '' }).catch((error: unknown) => error)
      expect(await attempt()).toMatchObject(unavailable)
      for (const pause of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
        const before = asked
        now += pause * (0.5 + share / 2) - 1
        expect(await attempt()).toMatchObject(unavailable)
        expect(asked).toBe(before)
        now += 1
        expect(await attempt()).toMatchObject(unavailable)
        expect(asked).toBe(before + 1)
      }
    },
  )
})
