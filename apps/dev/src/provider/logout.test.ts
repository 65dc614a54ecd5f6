import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as oauth from 'openid-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CookieJar } from '../cookie-jar.ts'
import { startProvider, type DevelopmentProvider } from './provider.ts'

const told: { path: string | undefined; type: string | undefined; form: URLSearchParams }[] = []
/** In the place of the gateway. */
const gateway = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray()).toString()
  told.push({ path: request.url, type: request.headers['content-type'], form: new URLSearchParams(body) })
  response.end()
})
let provider: DevelopmentProvider
const resources = { graphql: 'http://127.0.0.1:4000/graphql', mcp: 'http://127.0.0.1:4000/mcp' }

beforeAll(async () => {
  await once(gateway.listen(0, '127.0.0.1'), 'listening')
  provider = await startProvider({
    port: 0,
    users: [{ name: 'ada', tenant: 'acme', description: 'a customer', scopes: ['profile'] }],
    resources,
    consoleUrl: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
  })
})
afterAll(async () => {
  await provider.close()
  gateway.close()
})

/** A browser that follows redirects inside the provider, and stops at the first that leads out of it. */
function createBrowser() {
  const jar = new CookieJar()
  return async function open(start: URL, form?: Record<string, string>): Promise<{ url: URL; page: string }> {
    const response = await fetch(start, {
      redirect: 'manual',
      headers: { cookie: jar.header(start) },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    jar.store(response)
    const location = response.headers.get('location')
    if (location === null) return { url: start, page: await response.text() }
    const next = new URL(location, start)
    return next.origin === start.origin ? open(next) : { url: next, page: '' }
  }
}

test('whoever signs out here is signed out of the gateway: it is told with the `sid` of the access token', async () => {
  const open = createBrowser()
  const config = await oauth.discovery(
    new URL(provider.issuer),
    'behalf-cli',
    { id_token_signed_response_alg: 'ES256' },
    oauth.None(),
    { execute: [oauth.allowInsecureRequests] },
  )
  const verifier = oauth.randomPKCECodeVerifier()
  const { url: page } = await open(
    oauth.buildAuthorizationUrl(config, {
      redirect_uri: 'http://127.0.0.1/callback',
      scope: 'openid profile',
      resource: resources.graphql,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }),
  )
  const { url: end } = await open(page, { user: 'ada' })
  const tokens = await oauth.authorizationCodeGrant(
    config,
    end,
    { pkceCodeVerifier: verifier },
    { resource: resources.graphql },
  )
  const token = decodeJwt(tokens.access_token)
  expect(token).toMatchObject({ aud: resources.graphql, sub: 'ada', sid: expect.any(String) })

  const asked = await open(new URL('/session/end', provider.issuer))
  const xsrf = /name="xsrf" value="(\w+)"/.exec(asked.page)?.[1] ?? ''
  expect(told).toEqual([])
  const { page: farewell } = await open(new URL('/session/end/confirm', provider.issuer), { xsrf, logout: 'yes' })
  expect(farewell).toContain('You are signed out')

  expect(told).toMatchObject([{ path: '/auth/backchannel-logout', type: 'application/x-www-form-urlencoded' }])
  const keys = createRemoteJWKSet(new URL('/jwks', provider.issuer))
  const { payload } = await jwtVerify(told[0]?.form.get('logout_token') ?? '', keys, {
    issuer: provider.issuer,
    audience: 'behalf-cli',
    typ: 'logout+jwt',
  })
  expect(payload).toMatchObject({
    sub: 'ada',
    sid: token['sid'],
    jti: expect.any(String),
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
})
