import { randomBytes } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Revoked } from '@behalf/identity'
import { exportJWK, generateKeyPair } from 'jose'
import pino from 'pino'
import { type Client, type ClientMetadata, type Configuration, Provider } from 'oidc-provider'
import { afterAll, expect, it } from 'vitest'
import { admitting, testAuthentication, trust } from '../fixtures/authentication.ts'
import { audience, mcpAudience } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority } from '../fixtures/memory-authority.ts'
import { createApp } from '../http/create-app.ts'
import { addLogoutRoutes } from '../http/logout-routes.ts'
import { createAuthenticate } from './authenticate.ts'
import { createIssuers } from './issuers.ts'
import { createLogoutTokenVerifier } from './verify-logout-token.ts'

const closing: (() => Promise<unknown>)[] = []
afterAll(() => Promise.all(closing.map((close) => close())))

/** A certified OpenID provider. */
async function startProvider(client: ClientMetadata, change: Pick<Configuration, 'features' | 'fetch'>) {
  let handler: RequestListener = () => undefined
  const server = createServer((request, response) => handler(request, response)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const provider = new Provider(issuer, {
    clients: [{ ...client, id_token_signed_response_alg: 'ES256' }],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
    ...change,
    features: { devInteractions: { enabled: false }, ...change.features },
  })
  handler = provider.callback()
  return { issuer, provider }
}

/** JWT access tokens (RFC 9068) for a resource (RFC 8707). */
it('accepts what a real provider issues for this resource, and nothing it issues for another', async () => {
  const secret = randomBytes(32).toString('base64url')
  const { issuer } = await startProvider(
    {
      client_id: 'reports',
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
    {
      features: {
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_ctx, resource) => ({
            audience: resource,
            scope: 'orders:read',
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'ES256' } },
          }),
        },
      },
    },
  )

  const tokenFor = async (resource: string) => {
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`reports:${secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'orders:read' }),
    })
    const answer = (await response.json()) as { access_token: string }
    expect(answer).toMatchObject({ access_token: expect.any(String) })
    return answer.access_token
  }
  const authority = createMemoryAuthority()
  const { bear } = testAuthentication([trust({ issuer }, { interactiveClients: ['reports'] })], authority)

  // RFC 9068 2.2: without a user the subject is the client, and that is nobody of ours until our records say so, and no
  // person then.
  await expect(bear(await tokenFor(audience))).rejects.toMatchObject({ code: 'CREDENTIAL_INVALID' })
  authority.people.set('reports', { subject: 'usr_reports', tenant: 'acme', facts: {} })
  await expect(bear(await tokenFor(audience))).resolves.toMatchObject({
    subject: 'usr_reports',
    scopes: ['orders:read'],
    client: 'reports',
    actor: { agent: 'reports' },
  })
  await expect(bear(await tokenFor(mcpAudience))).rejects.toMatchObject({ code: 'CREDENTIAL_INVALID' })
})

it('takes the logout token that a real provider sends, once for each logout', async () => {
  const authority = createMemoryAuthority()
  const revoked: Revoked[] = []
  const app = createApp({
    log: pino({ level: 'silent' }),
    maxBodyBytes: 10_000,
    contentTypes: ['application/json'],
    ready: async () => undefined,
    writeError: ({ code }) => ({ body: { code } }),
  })
  closing.push(() => app.close())
  const logoutUri = 'https://gateway.example/auth/backchannel-logout'
  const { issuer, provider } = await startProvider(
    {
      client_id: 'portal',
      client_secret: randomBytes(32).toString('base64url'),
      redirect_uris: ['https://portal.example/callback'],
      backchannel_logout_uri: logoutUri,
      backchannel_logout_session_required: true,
    },
    {
      features: { backchannelLogout: { enabled: true } },
      // As over the network: what the provider posts, it posts to the gateway.
      fetch: async (url, { method = 'GET', headers, body } = {}) => {
        expect(String(url)).toBe(logoutUri)
        const { statusCode } = await app.inject({
          method: method as 'POST',
          url: new URL(String(url)).pathname,
          headers: Object.fromEntries(new Headers(headers)),
          payload: String(body),
        })
        return new Response(null, { status: statusCode })
      },
    },
  )
  const issuers = createIssuers([trust({ issuer }, { logoutClients: ['portal'] })])
  addLogoutRoutes(app, {
    admit: admitting(createAuthenticate({ issuers, authority })),
    verifyLogoutToken: createLogoutTokenVerifier(issuers),
    authority: { ...authority, revoke: async (what) => revoked.push(what) > 0 },
    audit: { refused: () => undefined },
  })

  const client = (await provider.Client.find('portal')) as Client & {
    backchannelLogout(subject: string, session: string): Promise<void>
  }
  await client.backchannelLogout('ada', 'session-1')
  await client.backchannelLogout('ada', 'session-2')
  expect(revoked).toEqual([
    { kind: 'session', issuer, session: 'session-1' },
    { kind: 'session', issuer, session: 'session-2' },
  ])
  await expect(client.backchannelLogout('mallory', 'session-3')).rejects.toThrow('expected 200 OK')
  expect(revoked).toHaveLength(2)
})
