import { createHash, randomBytes } from 'node:crypto'
import { people, scopesOf } from './people.ts'
import { clients, redirectUri } from './provider.ts'
import { issuer, resources } from './system.ts'

// Prints an access token of somebody: `npm run --silent token -- ines`, or `... ines agent` for MCP. The authorization code
// flow with PKCE, in which this plays the browser too.
const [name, use = 'app'] = process.argv.slice(2)
const person = people.find((each) => each.name === name)
if (!person || (use !== 'app' && use !== 'agent')) {
  console.error(`Usage: npm run --silent token -- ${people.map((each) => each.name).join('|')} [app|agent]`)
  process.exit(2)
}

const verifier = randomBytes(32).toString('base64url')
const grant = { client_id: clients[use], redirect_uri: redirectUri, resource: resources[use] }
const cookies = new Map<string, string>()

/** Goes where it is sent, with the cookies it was given, until there is a page or the way back to the client. */
async function browse(url: URL, form?: Record<string, string>): Promise<URL> {
  const response = await fetch(url, {
    ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    headers: { cookie: Array.from(cookies, ([key, value]) => `${key}=${value}`).join('; ') },
    redirect: 'manual',
  })
  for (const cookie of response.headers.getSetCookie()) {
    const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
    cookies.set(key, value)
  }
  const location = response.headers.get('location')
  if (location === null) return url
  const next = new URL(location, url)
  return next.href.startsWith(redirectUri) ? next : browse(next)
}

const start = new URL('/auth', issuer)
start.search = new URLSearchParams({
  ...grant,
  response_type: 'code',
  scope: ['openid', ...scopesOf(person)].join(' '),
  code_challenge: createHash('sha256').update(verifier).digest('base64url'),
  code_challenge_method: 'S256',
}).toString()
const end = await browse(await browse(start), { prompt: 'login', login: person.name, password: 'none' })

const response = await fetch(new URL('/token', issuer), {
  method: 'POST',
  body: new URLSearchParams({
    ...grant,
    grant_type: 'authorization_code',
    code: end.searchParams.get('code') ?? '',
    code_verifier: verifier,
  }),
})
if (!response.ok) throw new Error(await response.text())
console.log(((await response.json()) as { access_token: string }).access_token)
