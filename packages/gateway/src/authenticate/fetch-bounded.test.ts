import type { ServerResponse } from 'node:http'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { trust, unavailable } from '../fixtures/authentication.ts'
import { closedPort, type IdentityProvider, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { fetchBounded } from './fetch-bounded.ts'
import { createIssuer, type Issuer } from './issuer.ts'
import { createIssuerKeys } from './issuer-keys.ts'
import { requireSecure } from './require-secure.ts'

const providers: IdentityProvider[] = []
let provider: IdentityProvider
let issuer: Issuer
let now = Date.now()

beforeEach(async () => {
  provider = await startIdentityProvider()
  providers.push(provider)
  now = Date.now()
  issuer = issuerAt(provider)
})
afterAll(() => Promise.all(providers.map((each) => each[Symbol.asyncDispose]())))

const issuerAt = (at: Pick<IdentityProvider, 'issuer'>) => createIssuer(trust(at), () => now)
const redirect = (location: string) => (_request: unknown, response: ServerResponse) => {
  response.writeHead(302, { location }).end()
}

describe('a provider that cannot be read', () => {
  const faults: Record<string, (target: IdentityProvider) => void> = {
    'discovery fails': ({ misbehave }) => (misbehave.discovery = (_request, response) => response.writeHead(500).end()),
    'discovery breaks off': ({ misbehave }) => (misbehave.discovery = (request) => request.socket.destroy()),
    'discovery is not JSON': ({ misbehave }) => (misbehave.discovery = (_request, response) => response.end('<html>')),
    'discovery redirects': ({ misbehave, issuer: to }) => (misbehave.discovery = redirect(`${to}/elsewhere`)),
    'discovery is about another issuer': (target) =>
      (target.metadata = { ...target.metadata, issuer: 'https://issuer.example' }),
    'discovery names no keys': (target) => (target.metadata = { issuer: target.issuer }),
    'the keys are at a plain http address': (target) =>
      (target.metadata = { ...target.metadata, jwks_uri: 'http://issuer.example/jwks' }),
    'the keys are in a file': (target) => (target.metadata = { ...target.metadata, jwks_uri: 'file:///etc/passwd' }),
    'the key server fails': ({ misbehave }) => (misbehave.keys = (_request, response) => response.writeHead(500).end()),
    'the key server breaks off': ({ misbehave }) => (misbehave.keys = (request) => request.socket.destroy()),
    'the key server redirects': ({ misbehave, issuer: to }) => (misbehave.keys = redirect(`${to}/elsewhere`)),
    'the keys are oversized': ({ misbehave }) =>
      (misbehave.keys = (_request, response) => response.end(`{"keys":[],"pad":"${'x'.repeat(300_000)}"}`)),
    'the keys are no keys': ({ misbehave }) =>
      (misbehave.keys = (_request, response) => response.end('{"keys":"none"}')),
    'a key is broken': ({ publicKeys }) => Object.assign(publicKeys[0] ?? {}, { x: 'AAAA' }),
  }
  it.each(Object.entries(faults))("is our trouble, not the token's: %s", async (_name, fault) => {
    const token = await provider.mint()
    fault(provider)
    await expect(issuer.verify(token)).rejects.toMatchObject(unavailable)
    await expect(issuerAt(provider).verify(token)).rejects.toMatchObject(unavailable)
  })

  it.each([201, 203, 404, 500])('says so by a status of %d, whatever else it says', async (status) => {
    const token = await provider.mint()
    provider.misbehave.keys = (_request, response) =>
      response.writeHead(status).end(JSON.stringify({ keys: provider.publicKeys }))
    await expect(issuer.verify(token)).rejects.toMatchObject(unavailable)
    provider.misbehave.keys = undefined
    await expect(issuerAt(provider).verify(token)).resolves.toBeDefined()
  })

  it('is not asked again by every request', async () => {
    const token = await provider.mint()
    provider.misbehave.discovery = (_request, response) => response.writeHead(500).end()
    for (let index = 0; index < 10; index++) await expect(issuer.verify(token)).rejects.toMatchObject(unavailable)
    expect(provider.asked).toHaveLength(1)
    provider.misbehave.discovery = undefined
    now += 1000
    await expect(issuer.verify(token)).resolves.toBeDefined()
  })

  it('elsewhere does not have us read its keys on this machine', async () => {
    const asked: string[] = []
    const keysAt = (jwks_uri: string) =>
      createIssuerKeys({
        issuer: 'https://issuer.example',
        algorithms: ['ES256'],
        clock: () => now,
        fetch: async (location) => {
          asked.push(location)
          const document =
            location === jwks_uri ? { keys: provider.publicKeys } : { issuer: 'https://issuer.example', jwks_uri }
          return { status: 200, text: JSON.stringify(document) }
        },
      })
    const header = { alg: 'ES256' }
    const token = { payload: '', signature: '' }
    for (const location of ['http://127.0.0.1:9/jwks', 'http://localhost/jwks', 'http://issuer.example/jwks']) {
      await expect(keysAt(location).find(header, token)).rejects.toMatchObject(unavailable)
      expect(asked).not.toContain(location)
    }
    await expect(keysAt('https://keys.example/jwks').find(header, token)).resolves.toBeDefined()
  })

  it('is not there at all', async () => {
    await expect(
      issuerAt({ issuer: `http://127.0.0.1:${await closedPort()}` }).verify(await provider.mint()),
    ).rejects.toMatchObject(unavailable)
  })
})

describe('a bounded fetch', () => {
  it('goes over https, or stays on this machine', async () => {
    for (const url of [
      'http://issuer.example/jwks',
      'http://127.0.0.1.example/jwks',
      'http://169.254.169.254/',
      'file:///etc/passwd',
      'ftp://127.0.0.1/',
    ]) {
      await expect(fetchBounded(url)).rejects.toThrow('must be https')
    }
    const onThisMachine = `${provider.issuer}/jwks`.replace('127.0.0.1', '127.1')
    await expect(fetchBounded(onThisMachine)).resolves.toMatchObject({ status: 200 })
  })

  it.each(['http://localhost:8080/jwks', 'http://[::1]/jwks', 'http://127.0.0.1/jwks'])(
    'trusts %s, which nobody else can answer',
    (url) => {
      expect(() => requireSecure(new URL(url))).not.toThrow()
      expect(() => requireSecure(new URL(url), { loopback: false })).toThrow('must be https')
      expect(() => requireSecure(new URL(url.replace('http:', 'ftp:')))).toThrow('must be https')
    },
  )
  it.each(['http://localhost.example', 'http://x.localhost', 'http://[::2]', 'http://[::ffff:10.0.0.1]'])(
    'does not trust %s for its name',
    (url) => expect(() => requireSecure(new URL(url))).toThrow('must be https'),
  )

  it('reads 256 KiB, and not a byte more', async () => {
    const read = (length: number) => {
      provider.misbehave.keys = (_request, response) => response.end('x'.repeat(length))
      return fetchBounded(`${provider.issuer}/jwks`)
    }
    expect((await read(262_144)).text).toHaveLength(262_144)
    await expect(read(262_145)).rejects.toThrow('larger than 262144 bytes')
  })

  it('gives up on a server that does not come to an end', async () => {
    provider.misbehave.keys = (_request, response) => void response.write('{')
    await expect(fetchBounded(`${provider.issuer}/jwks`, { timeoutMs: 50 })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
    provider.misbehave.keys = undefined
    await expect(fetchBounded(`${provider.issuer}/jwks`)).resolves.toMatchObject({ status: 200 })
  })
})
