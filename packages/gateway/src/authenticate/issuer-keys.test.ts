import type { ServerResponse } from 'node:http'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { audience, closedPort, type IdentityProvider, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { fetchBounded } from './fetch-bounded.ts'
import { createIssuer, type Issuer } from './issuer.ts'

const discovery = '/.well-known/openid-configuration'
const unavailable = { code: 'ISSUER_UNAVAILABLE', status: 503 }
const invalid = { code: 'CREDENTIAL_INVALID', status: 401 }

const providers: IdentityProvider[] = []
let provider: IdentityProvider
let issuer: Issuer
let now = Date.now()

beforeEach(async () => {
  provider = await startIdentityProvider()
  providers.push(provider)
  now = Date.now()
  issuer = issuerAt(provider.issuer)
})
afterAll(() => Promise.all(providers.map((each) => each[Symbol.asyncDispose]())))

const issuerAt = (location: string) => createIssuer({ issuer: location, audience, interactiveClients: [] }, () => now)
const keyReads = () => provider.asked.filter((path) => path === '/jwks').length
const redirect = (location: string) => (_request: unknown, response: ServerResponse) => {
  response.writeHead(302, { location }).end()
}

describe('keys of an issuer', () => {
  it('are read once for all tokens', async () => {
    await Promise.all(Array.from({ length: 20 }, async () => issuer.verify(await provider.mint())))
    await issuer.verify(await provider.mint())
    expect(provider.asked).toEqual([discovery, '/jwks'])
  })

  it('are read again for a key that is not there: once, however many requests name it', async () => {
    await issuer.verify(await provider.mint())
    now += 5000
    await provider.rotate()
    await expect(issuer.verify(await provider.mint())).resolves.toMatchObject({ sub: 'ada' })
    expect(keyReads()).toBe(2)

    const unknown = await provider.mint({ header: { kid: 'elsewhere' } })
    now += 5000
    for (let index = 0; index < 10; index++) await expect(issuer.verify(unknown)).rejects.toMatchObject(invalid)
    expect(keyReads()).toBe(3)
    now += 5000
    await expect(issuer.verify(unknown)).rejects.toMatchObject(invalid)
    expect(keyReads()).toBe(4)
  })

  it('of which several fit a token without kid do not verify it', async () => {
    const token = await provider.mint({ header: { kid: undefined } })
    await expect(issuer.verify(token)).resolves.toBeDefined()
    await provider.rotate()
    await expect(issuerAt(provider.issuer).verify(token)).rejects.toMatchObject(invalid)
  })

  it('that are gone verify nothing any more once the keys are fresh', async () => {
    const token = await provider.mint({ claims: { exp: Math.floor(now / 1000) + 900 } })
    await issuer.verify(token)
    provider.publicKeys.length = 0
    await provider.rotate()
    now += 600_000
    const later = await provider.mint({ claims: { exp: Math.floor(now / 1000) + 300 } })
    await expect
      .poll(() =>
        issuer.verify(later).then(
          ({ sub }) => sub,
          () => null,
        ),
      )
      .toBe('ada')
    const old = await issuer.verify(token).catch((error: unknown) => error)
    expect(old).toMatchObject(invalid)
  })

  it('serve on for an hour while the provider is down, without a wait, and no longer', async () => {
    const long = await provider.mint({ claims: { exp: Math.floor(now / 1000) + 7200 } })
    await issuer.verify(long)
    provider.misbehave.discovery = (_request, response) => response.writeHead(503).end()
    now += 600_000
    await expect(issuer.verify(long)).resolves.toBeDefined()
    await expect.poll(() => provider.asked.length).toBe(3)
    now += 2_999_999
    await expect(issuer.verify(long)).resolves.toBeDefined()
    now += 1
    await expect(issuer.verify(long)).rejects.toMatchObject(unavailable)
    provider.misbehave.discovery = undefined
    now += 5000
    await expect(issuer.verify(long)).resolves.toBeDefined()
  })

  it('cannot be told missing while the provider is down', async () => {
    await issuer.verify(await provider.mint())
    await provider.rotate()
    provider.misbehave.keys = (_request, response) => response.writeHead(503).end()
    now += 5000
    await expect(issuer.verify(await provider.mint())).rejects.toMatchObject(unavailable)
    provider.misbehave.keys = undefined
    now += 5000
    await expect(issuer.verify(await provider.mint())).resolves.toBeDefined()
  })
})

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
    await expect(issuerAt(provider.issuer).verify(token)).rejects.toMatchObject(unavailable)
  })

  it('is asked again after five seconds, not by every request', async () => {
    const token = await provider.mint()
    provider.misbehave.discovery = (_request, response) => response.writeHead(500).end()
    for (let index = 0; index < 10; index++) await expect(issuer.verify(token)).rejects.toMatchObject(unavailable)
    expect(provider.asked).toHaveLength(1)
    provider.misbehave.discovery = undefined
    now += 4999
    await expect(issuer.verify(token)).rejects.toMatchObject(unavailable)
    now += 1
    await expect(issuer.verify(token)).resolves.toBeDefined()
  })

  it('is not there at all', async () => {
    await expect(
      issuerAt(`http://127.0.0.1:${await closedPort()}`).verify(await provider.mint()),
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

  it('gives up on a server that does not come to an end', async () => {
    provider.misbehave.keys = (_request, response) => void response.write('{')
    await expect(fetchBounded(`${provider.issuer}/jwks`, 50)).rejects.toMatchObject({ name: 'TimeoutError' })
    provider.misbehave.keys = undefined
    await expect(fetchBounded(`${provider.issuer}/jwks`)).resolves.toMatchObject({ status: 200 })
  })
})
