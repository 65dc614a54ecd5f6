import {
  Client,
  type OAuthClientProvider,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client'
import { createBrowser } from './provider-browser.ts'

/** What an MCP client asked for and was answered, in order. */
export interface Exchange {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly challenge: string | null
  readonly answer: string
}

export interface McpUser {
  readonly client: Client
  readonly exchanges: Exchange[]
  /** Everything that was given to the client and proves something. */
  readonly credentials: string[]
  /** Runs `work`; where it needs a sign-in, the user does that in their browser, and it runs again. */
  signingIn<T>(work: () => Promise<T>): Promise<T>
}

const redirectUri = 'http://127.0.0.1/callback'

/**
 * The official client, with nothing but a URL: what it needs to get a token it finds out, and a demo user signs in for it
 * in a browser of their own.
 *
 * @param options.mode - `auto` prefers 2026-07-28; `legacy` speaks 2025-11-25
 * @param options.scopes - all that the user lets it have when they sign in for the first time; default: what it asks for
 */
export function createMcpUser(options: {
  readonly url: string
  readonly user: string
  readonly mode: 'auto' | 'legacy'
  readonly userAgent?: string
  readonly scopes?: readonly string[]
  /** Opens a page for the user, and says what they did: then the client can be asked to. Default: it cannot. */
  readonly visit?: (page: URL) => Promise<'accept' | 'decline'>
}): McpUser {
  const { url, user, mode, userAgent, scopes, visit } = options
  const exchanges: Exchange[] = []
  const credentials: string[] = []
  const browser = createBrowser(userAgent)
  let tokens: StoredOAuthTokens | undefined
  let verifier = ''
  let answered: URLSearchParams | undefined
  let granted = scopes

  const authProvider: OAuthClientProvider = {
    redirectUrl: redirectUri,
    clientMetadata: { redirect_uris: [redirectUri] },
    clientInformation: () => ({ client_id: 'mcp-dev' }),
    tokens: () => tokens,
    saveTokens(given) {
      tokens = given
      credentials.push(given.access_token)
    },
    saveCodeVerifier: (given) => void credentials.push((verifier = given)),
    codeVerifier: () => verifier,
    async redirectToAuthorization(start) {
      if (granted !== undefined) start.searchParams.set('scope', granted.join(' '))
      granted = undefined
      const { url: login } = await browser.open(start)
      const { url: end } = await browser.open(login, { user })
      answered = end.searchParams
      credentials.push(end.searchParams.get('code') ?? '')
    },
  }
  const recordingFetch = async (target: string | URL, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    if (userAgent !== undefined) headers.set('user-agent', userAgent)
    const response = await fetch(target, { ...init, headers })
    exchanges.push({
      method: init.method ?? 'GET',
      url: String(target),
      status: response.status,
      challenge: response.headers.get('www-authenticate'),
      answer: await response.clone().text(),
    })
    return response
  }
  const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: recordingFetch })
  let current = transport()
  let client = newClient()
  function newClient() {
    const capabilities = visit && { elicitation: { url: {} } }
    const made = new Client(
      { name: 'test', version: '1' },
      { versionNegotiation: { mode }, ...(capabilities && { capabilities }) },
    )
    if (visit)
      made.setRequestHandler('elicitation/create', async ({ params }) => {
        if (params.mode !== 'url') throw new Error('asked for something else than a page')
        return { action: await visit(new URL(params.url)) }
      })
    return made
  }

  return {
    get client() {
      return client
    },
    exchanges,
    credentials,
    async signingIn(work) {
      for (let attempt = 0; ; attempt++) {
        try {
          if (client.transport === undefined) await client.connect(current)
          return await work()
        } catch (error) {
          if (!(error instanceof UnauthorizedError) || answered === undefined || attempt > 1) throw error
          await current.finishAuth(answered)
          answered = undefined
          await client.close()
          client = newClient()
          current = transport()
        }
      }
    },
  }
}
