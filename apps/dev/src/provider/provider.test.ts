import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { signIn } from '../sign-in.ts'
import { startProvider, type DevelopmentProvider } from './provider.ts'
import type { ProviderUser } from './provider-user.ts'

const customer = ['profile', 'orders:read', 'orders:write']
const users: ProviderUser[] = [
  { name: 'ada', tenant: 'acme', description: 'a customer of <acme>', scopes: customer },
  { name: 'sam', tenant: 'acme', description: 'support at acme', scopes: [...customer, 'users:read'] },
]
const resources = { graphql: 'http://127.0.0.1:4000/graphql', mcp: 'http://127.0.0.1:4000/mcp' }

let provider: DevelopmentProvider
const spoken: unknown[][] = []

beforeAll(async () => {
  for (const level of ['info', 'warn', 'error', 'log'] as const) {
    vi.spyOn(console, level).mockImplementation((...args: unknown[]) => void spoken.push(args))
  }
  provider = await startProvider({ port: 0, users, resources, consoleUrl: 'http://127.0.0.1:4000' })
})
afterAll(() => provider.close())

const asAda = () =>
  ({
    issuer: provider.issuer,
    user: 'ada',
    scopes: customer,
    resource: resources.graphql,
    client: 'behalf-cli',
  }) as const
const claimsOf = async (token: string, audience: string) => {
  const keys = createRemoteJWKSet(new URL('/jwks', provider.issuer))
  return (await jwtVerify(token, keys, { issuer: provider.issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] }))
    .payload
}

describe('an access token', () => {
  test('is a JWT of RFC 9068 for one resource, with what identity needs', async () => {
    const before = Math.floor(Date.now() / 1000)
    const token = await signIn(asAda())
    const claims = await claimsOf(token, resources.graphql)
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256', kid: expect.any(String) })
    expect(claims).toMatchObject({
      iss: provider.issuer,
      sub: 'ada',
      aud: resources.graphql,
      client_id: 'behalf-cli',
      tenant: 'acme',
      acr: '0',
      sid: expect.any(String),
      jti: expect.any(String),
    })
    expect(String(claims['scope']).split(' ').toSorted()).toEqual(customer.toSorted())
    expect(claims['auth_time']).toBeGreaterThanOrEqual(before)
    expect(claims.exp! - claims.iat!).toBe(3600)
  })

  test('holds only the scopes that were asked for', async () => {
    const claims = await claimsOf(await signIn({ ...asAda(), scopes: ['orders:read'] }), resources.graphql)
    expect(claims['scope']).toBe('orders:read')
  })

  test('holds none with openid alone', async () => {
    const claims = await claimsOf(await signIn({ ...asAda(), scopes: ['openid'] }), resources.graphql)
    expect(claims).toMatchObject({ sub: 'ada' })
    expect(claims).not.toHaveProperty('scope')
  })

  test('is for /mcp only by the MCP client', async () => {
    const token = await signIn({ ...asAda(), client: 'mcp-dev', resource: resources.mcp })
    expect(await claimsOf(token, resources.mcp)).toMatchObject({ client_id: 'mcp-dev', aud: resources.mcp })
  })
})

describe('a client id metadata document', () => {
  const document = 'https://client.example/mcp.json'
  const metadata = {
    client_id: document,
    client_name: 'A client of somebody else',
    redirect_uris: ['http://127.0.0.1/callback'],
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }
  const startWith = (clientDocuments: readonly string[], content: object = metadata) => {
    const fetched: string[] = []
    const started = startProvider({
      port: 0,
      users,
      resources,
      consoleUrl: 'http://127.0.0.1:4000',
      clientDocuments,
      async fetch(url) {
        fetched.push(String(url))
        return Response.json(content)
      },
    })
    return started.then((one) => ({ ...one, fetched, [Symbol.asyncDispose]: () => one.close() }))
  }
  const asClient = ({ issuer }: DevelopmentProvider) =>
    ({ ...asAda(), issuer, client: document, resource: resources.mcp }) as const

  test('that was named before is read, and its client is given tokens for /mcp', async () => {
    await using open = await startWith([document])
    const discovered = await fetch(`${open.issuer}/.well-known/openid-configuration`)
    expect(await discovered.json()).toMatchObject({ client_id_metadata_document_supported: true })
    expect(decodeJwt(await signIn(asClient(open)))).toMatchObject({ client_id: document, aud: resources.mcp })
    expect(open.fetched).toEqual([document])
    await expect(signIn({ ...asClient(open), resource: resources.graphql })).rejects.toThrow(
      'may not ask for a token for this resource',
    )
  })

  test('of any other URL is not fetched, and without any named there are none', async () => {
    for (const named of [['https://client.example/other.json'], []]) {
      await using closed = await startWith(named)
      await expect(signIn(asClient(closed))).rejects.toThrow('The provider refused (400)')
      expect(closed.fetched).toEqual([])
    }
  })

  test('that speaks of another client is not believed', async () => {
    await using deceived = await startWith([document], { ...metadata, client_id: 'behalf-cli' })
    await expect(signIn(asClient(deceived))).rejects.toThrow('The provider refused (400)')
    expect(new Set(deceived.fetched)).toEqual(new Set([document]))
  })
})

describe('the provider refuses', () => {
  test("a scope that is not the user's, and grants it to whom it belongs", async () => {
    await expect(signIn({ ...asAda(), scopes: ['users:read'] })).rejects.toThrow(
      'ada does not have the scope "users:read".',
    )
    await expect(signIn({ ...asAda(), scopes: ['orders:read', 'users:read'] })).rejects.toThrow('"users:read"')
    const claims = await claimsOf(await signIn({ ...asAda(), user: 'sam', scopes: ['users:read'] }), resources.graphql)
    expect(claims['scope']).toBe('users:read')
  })

  test.each([
    ['behalf-cli', resources.mcp],
    ['mcp-dev', resources.graphql],
    ['behalf-cli', 'http://127.0.0.1:4000/other'],
  ] as const)('%s asking for %s', async (client, resource) => {
    await expect(signIn({ ...asAda(), client, resource })).rejects.toThrow(
      `${client} may not ask for a token for this resource`,
    )
  })

  test('a user who does not exist', async () => {
    await expect(signIn({ ...asAda(), user: 'mallory' })).rejects.toThrow('There is no such demo user.')
  })

  test('a redirect elsewhere, PKCE left out, a client nobody knows', async () => {
    const pkce = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }
    const ask = async (change: Record<string, string>, proof: Record<string, string> = pkce) => {
      const url = new URL('/auth', provider.issuer)
      url.search = new URLSearchParams({
        client_id: 'behalf-cli',
        response_type: 'code',
        scope: 'openid',
        redirect_uri: 'http://127.0.0.1/callback',
        ...proof,
        ...change,
      }).toString()
      const response = await fetch(url, { redirect: 'manual' })
      return { status: response.status, location: response.headers.get('location') ?? '' }
    }
    expect((await ask({})).location).toMatch(/^\/interaction\//)
    expect((await ask({ redirect_uri: 'http://127.0.0.1:5999/callback' })).location).toMatch(/^\/interaction\//)
    expect(await ask({ redirect_uri: 'https://example.com/callback' })).toEqual({ status: 400, location: '' })
    expect(await ask({ client_id: 'nobody' })).toEqual({ status: 400, location: '' })
    expect((await ask({}, {})).location).toMatch(/error=invalid_request/)
    expect((await ask({ code_challenge_method: 'plain' })).location).toMatch(/error=invalid_request/)
  })

  test('a name that is not its own (DNS rebinding)', async () => {
    const { request } = await import('node:http')
    const statusFor = (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        request(new URL('/.well-known/openid-configuration', provider.issuer), { headers: { host } }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
          .on('error', reject)
          .end()
      })
    expect(await statusFor('evil.example')).toBe(421)
    expect(await statusFor(new URL(provider.issuer).host)).toBe(200)
  })
})

describe('the login page', () => {
  const open = async () => {
    const url = new URL('/auth', provider.issuer)
    url.search = new URLSearchParams({
      client_id: 'mcp-dev',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: 'http://127.0.0.1:5999/callback',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    }).toString()
    const asked = await fetch(url, { redirect: 'manual' })
    const cookie = asked.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ')
    return { url: new URL(asked.headers.get('location')!, provider.issuer), cookie }
  }

  test('has a button per user, escapes what it shows, and says what it is for', async () => {
    const { url, cookie } = await open()
    const response = await fetch(url, { headers: { cookie } })
    const page = await response.text()
    expect(page).toContain('value="ada"')
    expect(page).toContain('value="sam"')
    expect(page).toContain('MCP client under development')
    expect(page).toContain('For development only')
    expect(page).not.toContain('<acme>')
    // Browsers apply form-action to the redirect that follows the form.
    expect(response.headers.get('content-security-policy')).toContain(`form-action 'self' http://127.0.0.1:5999`)
  })

  test('belongs to the browser that started it', async () => {
    const { url, cookie } = await open()
    expect((await fetch(url)).status).toBe(400)
    expect((await fetch(url, { headers: { cookie } })).status).toBe(200)
  })
})

test('discovery names what there is', async () => {
  const response = await fetch(new URL('/.well-known/openid-configuration', provider.issuer))
  expect(await response.json()).toMatchObject({
    issuer: provider.issuer,
    id_token_signing_alg_values_supported: ['ES256'],
    code_challenge_methods_supported: ['S256'],
    grant_types_supported: ['authorization_code'],
    token_endpoint_auth_methods_supported: ['none'],
  })
})

test('nothing was printed meanwhile', () => {
  expect(spoken).toEqual([])
})

test('its own address says what it is, and what a description holds stays text', async () => {
  const response = await fetch(provider.issuer)
  expect(response.status).toBe(200)
  const text = await response.text()
  expect(text).toContain('For development only')
  expect(text).toContain('a customer of &#60;acme&#62;')
})
