import * as oauth from 'openid-client'
import { CookieJar } from './cookie-jar.ts'
import { type clientIds, cliRedirectUri, signingAlgorithm } from './provider/clients.ts'

/** A sign-in that did not give a token, with a sentence for whoever wanted it. */
export class SignInError extends Error {
  override readonly name = 'SignInError'
}

export interface SignIn {
  readonly issuer: string
  /** Name of the demo user. */
  readonly user: string
  readonly scopes: readonly string[]
  /** Audience of the token (RFC 8707). */
  readonly resource: string
  /** One of the provider's own, or the URL of a client id metadata document. */
  readonly client: (typeof clientIds)[keyof typeof clientIds] | `https://${string}`
}

const stepLimit = 10

/**
 * Signs a demo user in at the running development provider, with the authorization code flow and PKCE as any client
 * does it, and gives the access token. The browser's part (pages, cookies, redirects) is played here; nothing
 * listens for the redirect, its URL is read and not followed.
 *
 * @throws SignInError if the provider is not there, refuses, or grants less than was asked
 */
export async function signIn({ issuer, user, scopes, resource, client }: SignIn): Promise<string> {
  const config = await discover(issuer, client)
  // Who asks for `openid` alone gets a token that says who it is and grants nothing.
  const wanted = scopes.filter((scope) => scope !== 'openid')
  const verifier = oauth.randomPKCECodeVerifier()
  const state = oauth.randomState()
  const nonce = oauth.randomNonce()
  const start = oauth.buildAuthorizationUrl(config, {
    redirect_uri: cliRedirectUri,
    response_type: 'code',
    scope: ['openid', ...wanted].join(' '),
    resource,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })

  try {
    const end = await browse(start, user)
    const tokens = await oauth.authorizationCodeGrant(
      config,
      end,
      {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      },
      { resource },
    )
    const granted = new Set(tokens.scope?.split(' '))
    const withheld = wanted.filter((scope) => !granted.has(scope))
    if (withheld.length > 0) throw new SignInError(`${user} does not have ${list(withheld)}.`)
    return tokens.access_token
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError) {
      throw new SignInError(`The provider refused: ${error.error_description ?? error.error}.`, { cause: error })
    }
    throw error
  }
}

const list = (scopes: string[]) =>
  `the scope${scopes.length > 1 ? 's' : ''} ${scopes.map((scope) => `"${scope}"`).join(', ')}`

async function discover(issuer: string, client: string): Promise<oauth.Configuration> {
  try {
    return await oauth.discovery(
      new URL(issuer),
      client,
      { id_token_signed_response_alg: signingAlgorithm },
      oauth.None(),
      // Plain http is for loopback only, where the development provider is.
      { execute: [oauth.allowInsecureRequests, oauth.enableNonRepudiationChecks], timeout: 5 },
    )
  } catch (error) {
    throw new SignInError(`The development provider does not answer at ${issuer} (IDP_PORT). Run "npm start" first.`, {
      cause: error,
    })
  }
}

/** Goes from the authorization endpoint to the redirect URI, choosing `user` where the provider asks. */
async function browse(start: URL, user: string): Promise<URL> {
  const jar = new CookieJar()
  let url = start
  let form: URLSearchParams | undefined
  for (let step = 0; step < stepLimit; step += 1) {
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form ?? null,
      headers: { cookie: jar.header(url) },
      redirect: 'manual',
    })
    jar.store(response)
    const page = await response.text()
    const location = response.headers.get('location')
    if (location !== null) {
      url = new URL(location, url)
      form = undefined
      if (url.href.startsWith(`${cliRedirectUri}?`)) return url
    } else if (response.ok && form === undefined) {
      form = new URLSearchParams({ user })
    } else {
      throw new SignInError(`The provider refused (${response.status}): ${sentence(page)}`)
    }
  }
  throw new SignInError('The sign-in went in circles.')
}

/** The first paragraph of one of the provider's pages. */
const sentence = (page: string) => /<p>(.*?)<\/p>/s.exec(page)?.[1] ?? 'it gave no reason.'
