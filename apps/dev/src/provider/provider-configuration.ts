import { randomBytes } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import {
  errors,
  interactionPolicy,
  type Configuration,
  type KoaContextWithOIDC,
  type UnknownObject,
} from 'oidc-provider'
import { clientIds, developmentClients, logoutUri, signingAlgorithm } from './clients.ts'
import { createMemoryStore } from './memory-store.ts'
import { contentSecurityPolicy, errorPage, logoutPage, signedOutPage } from './pages.ts'
import type { ProviderUser } from './provider-user.ts'

const minutes = 60
const hours = 60 * minutes

/** Clients with a person in front of them; every other is an agent's, and for the tools. */
const interactive: ReadonlySet<string> = new Set([clientIds.cli, clientIds.console])

/** How the user signed in: by choosing a name, which is no assurance at all (OpenID Connect Core, section 2, `acr`). */
export const noAssurance = '0'

export interface ProviderResources {
  /** Audience of tokens for `/graphql`. */
  readonly graphql: string
  /** Audience of tokens for `/mcp`. */
  readonly mcp: string
}

export async function providerConfiguration({
  users,
  resources,
  consoleUrl,
  clientDocuments,
  fetch = globalThis.fetch,
}: {
  users: ReadonlyMap<string, ProviderUser>
  resources: ProviderResources
  consoleUrl: string
  clientDocuments: readonly string[]
  fetch?: typeof globalThis.fetch
}): Promise<Configuration> {
  const scopesOfAll = [...new Set([...users.values()].flatMap((user) => user.scopes))]
  const resourceOf = (client: string) => (interactive.has(client) ? resources.graphql : resources.mcp)
  const { privateKey } = await generateKeyPair(signingAlgorithm, { extractable: true })

  return {
    clients: developmentClients(consoleUrl),
    clientDefaults: { id_token_signed_response_alg: signingAlgorithm },
    jwks: {
      keys: [
        { ...(await exportJWK(privateKey)), alg: signingAlgorithm, use: 'sig', kid: randomBytes(8).toString('hex') },
      ],
    },
    adapter: createMemoryStore(),
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clockTolerance: 5,
    scopes: ['openid'],
    acrValues: [noAssurance],
    subjectTypes: ['public'],
    responseTypes: ['code'],
    clientBasedCORS: () => false,
    pkce: { required: () => true },
    clientAuthMethods: ['none'],
    enabledJWA: { idTokenSigningAlgValues: [signingAlgorithm] },
    ttl: {
      AccessToken: hours,
      AuthorizationCode: minutes,
      IdToken: hours,
      Interaction: 10 * minutes,
      Session: 8 * hours,
      Grant: 8 * hours,
    },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      // Whoever names a document has it fetched by us: `fetch` does so for those that this machine's owner named before.
      clientIdMetadataDocument: { enabled: clientDocuments.length > 0, ack: 'draft-02' },
      resourceIndicators: {
        enabled: true,
        // A code that was asked for one resource gives a token for it, whether or not the client repeats `resource`.
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource, client) => {
          if (resource !== resourceOf(client.clientId)) {
            throw new errors.InvalidTarget(`${client.clientId} may not ask for a token for this resource`)
          }
          return {
            scope: scopesOfAll.join(' '),
            audience: resource,
            accessTokenTTL: hours,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: signingAlgorithm } },
          }
        },
      },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.set('Content-Security-Policy', contentSecurityPolicy([consoleUrl]))
          ctx.body = logoutPage(form)
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.set('Content-Security-Policy', contentSecurityPolicy([]))
          ctx.body = signedOutPage()
        },
      },
    },
    fetch: fetchOnly([logoutUri(consoleUrl), ...clientDocuments], fetch),
    interactions: { policy: alwaysChooseUser(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, id) => (users.has(id) ? { accountId: id, claims: () => ({ sub: id }) } : undefined),
    // RFC 9068, section 2.2.1, and the tenant.
    extraTokenClaims: async (ctx, token) => {
      const code = ctx.oidc.entities.AuthorizationCode
      const user = code?.accountId === undefined ? undefined : users.get(code.accountId)
      if (token.kind !== 'AccessToken' || code === undefined || user === undefined) return undefined
      const claims: UnknownObject = { tenant: user.tenant, auth_time: code.authTime, acr: code.acr }
      const session = await sessionId(ctx, code.sessionUid)
      return session === undefined ? claims : { ...claims, sid: session }
    },
    renderError: (ctx, out) => {
      ctx.set('Content-Security-Policy', contentSecurityPolicy([]))
      ctx.type = 'html'
      ctx.body = errorPage(out.error, out.error_description ?? '')
    },
  }
}

/** The provider's own fetch refuses addresses of this machine, where the gateway is; nothing else is ever fetched. */
const fetchOnly =
  (urls: readonly string[], fetch: typeof globalThis.fetch): NonNullable<Configuration['fetch']> =>
  (url, { dispatcher: _refusing, ...options }: RequestInit & { dispatcher?: unknown } = {}) =>
    urls.includes(String(url))
      ? fetch(url, options)
      : Promise.reject(new Error(`${String(url)} is not for this provider`))

/**
 * Asks for a user on every authorization request, so that one browser can be ada and then ben. Native clients need
 * the user's presence in any case (RFC 8252, section 8.6).
 */
function alwaysChooseUser() {
  const policy = interactionPolicy.base()
  policy
    .get('login')
    ?.checks.add(
      new interactionPolicy.Check('choose_user', 'a demo user has to be chosen', 'login_required', (ctx) =>
        ctx.oidc.result?.login ? interactionPolicy.Check.NO_NEED_TO_PROMPT : interactionPolicy.Check.REQUEST_PROMPT,
      ),
    )
  return policy
}

/** The `sid` by which a later logout names this session to this client (OpenID Connect Back-Channel Logout). */
async function sessionId(ctx: KoaContextWithOIDC, sessionUid: string | undefined): Promise<string | undefined> {
  const session = sessionUid === undefined ? undefined : await ctx.oidc.provider.Session.findByUid(sessionUid)
  return ctx.oidc.client && session?.sidFor(ctx.oidc.client.clientId)
}
