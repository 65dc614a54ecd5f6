import { createHash, randomBytes } from 'node:crypto'

/** A browser at the development provider, in which one demo user is signed in. */
export interface ProviderBrowser {
  /** Of its client, for `/graphql`. */
  readonly token: string
  /** Everything that it was given or made up to get the token, and that proves something, by what it is. */
  readonly credentials: Readonly<Record<string, string>>
  /** Presses "Sign out" at the provider. */
  signOut(): Promise<void>
}

const cli = { id: 'behalf-cli', redirectUri: 'http://127.0.0.1/callback' }

/** A browser that follows redirects inside one origin, and stops at the first that leads out of it. */
export function createBrowser(userAgent?: string) {
  const cookies = new Map<string, string>()
  async function open(url: URL, form?: Record<string, string>): Promise<{ url: URL; page: string }> {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: {
        ...(userAgent !== undefined && { 'user-agent': userAgent }),
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null) return { url, page: await response.text() }
    const next = new URL(location, url)
    return next.origin === url.origin ? open(next) : { url: next, page: '' }
  }
  return { open, cookies }
}

/** Signs a demo user in by the authorization code flow with PKCE, and keeps the browser open. */
export async function openProviderBrowser(
  options: {
    readonly issuer: string
    readonly resource: string
    /** Beside `openid`; default: `profile`. */
    readonly scopes?: readonly string[]
    /** Default: `behalf-cli`. */
    readonly client?: { readonly id: string; readonly redirectUri: string }
    /** Default: what fetch calls itself. */
    readonly userAgent?: string
  },
  user: string,
): Promise<ProviderBrowser> {
  const { issuer, resource, scopes = ['profile'], client = cli, userAgent } = options
  const shared = userAgent === undefined ? {} : { 'user-agent': userAgent }
  const { open, cookies } = createBrowser(userAgent)

  const verifier = randomBytes(32).toString('base64url')
  const start = new URL('/auth', issuer)
  start.search = new URLSearchParams({
    client_id: client.id,
    response_type: 'code',
    redirect_uri: client.redirectUri,
    scope: ['openid', ...scopes].join(' '),
    resource,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString()
  const { url: login } = await open(start)
  const { url: end } = await open(login, { user })
  const code = end.searchParams.get('code') ?? ''
  const answer = await fetch(new URL('/token', issuer), {
    method: 'POST',
    headers: shared,
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: client.id,
      redirect_uri: client.redirectUri,
      code,
      code_verifier: verifier,
      resource,
    }),
  })
  const given = (await answer.json()) as { access_token?: string; id_token?: string }
  const { access_token: token, id_token = '' } = given
  if (token === undefined) throw new Error(`${user} was given no token (${answer.status}).`)

  return {
    token,
    credentials: { ...Object.fromEntries(cookies), code, verifier, id_token },
    async signOut() {
      const { page } = await open(new URL('/session/end', issuer))
      const xsrf = /name="xsrf" value="(\w+)"/.exec(page)?.[1] ?? ''
      const farewell = await open(new URL('/session/end/confirm', issuer), { xsrf, logout: 'yes' })
      if (!farewell.page.includes('You are signed out')) throw new Error(`The provider did not sign ${user} out.`)
    },
  }
}
