import { randomBytes } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { expect, it } from 'vitest'
import { testAuthentication, trust } from '../fixtures/authentication.ts'
import { audience, mcpAudience } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority } from '../fixtures/memory-authority.ts'

/** A certified OpenID provider, with JWT access tokens (RFC 9068) for a resource (RFC 8707). */
it('accepts what a real provider issues for this resource, and nothing it issues for another', async () => {
  let handler: RequestListener = () => undefined
  const server = createServer((request, response) => handler(request, response)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const secret = randomBytes(32).toString('base64url')
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'reports',
        client_secret: secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
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
  })
  handler = provider.callback()

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
  await expect(bear(await tokenFor(mcpAudience))).rejects.toMatchObject({
    code: 'CREDENTIAL_INVALID',
  })
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
