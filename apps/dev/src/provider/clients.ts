import type { ClientMetadata } from 'oidc-provider'

/** The clients of the development provider: public, with PKCE, for the authorization code flow only. */
export const clientIds = { cli: 'behalf-cli', console: 'behalf-console', mcp: 'mcp-dev' } as const

/** Where `npm run token` has its code sent; nothing listens there (RFC 8252, section 7.3: any port matches). */
export const cliRedirectUri = 'http://127.0.0.1/callback'

/** The one algorithm of the development provider's keys, for access tokens and ID tokens alike. */
export const signingAlgorithm = 'ES256'

const publicClient = {
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code'],
  response_types: ['code'],
} as const

const loopbackRedirects = ['http://127.0.0.1', 'http://localhost'].flatMap((origin) => [
  `${origin}/callback`,
  `${origin}/oauth/callback`,
])

/** Where the gateway is told that somebody has signed out here (OpenID Connect Back-Channel Logout 1.0). */
export const logoutUri = (consoleUrl: string) => new URL('/auth/backchannel-logout', consoleUrl).href

/** @param consoleUrl origin of the console, which the gateway serves */
export function developmentClients(consoleUrl: string): ClientMetadata[] {
  const endsSessions = {
    backchannel_logout_uri: logoutUri(consoleUrl),
    backchannel_logout_session_required: true,
  } as const
  return [
    {
      ...publicClient,
      ...endsSessions,
      client_id: clientIds.cli,
      client_name: 'Behalf command line',
      application_type: 'native',
      redirect_uris: [cliRedirectUri],
    },
    {
      ...publicClient,
      ...endsSessions,
      client_id: clientIds.console,
      client_name: 'Behalf console',
      application_type: 'web',
      redirect_uris: [new URL('/auth/callback', consoleUrl).href],
      post_logout_redirect_uris: [new URL('/', consoleUrl).href],
    },
    {
      ...publicClient,
      client_id: clientIds.mcp,
      client_name: 'MCP client under development',
      application_type: 'native',
      redirect_uris: loopbackRedirects,
    },
  ]
}
