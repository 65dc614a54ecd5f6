import { createServer, type Server } from 'node:http'
import { errors, Provider, type ClientMetadata } from 'oidc-provider'
import { people, scopesOf } from './people.ts'

/** Each client may ask for tokens for one resource: the app for the graph, and the agent for MCP. */
export const clients = { app: 'clinic-app', agent: 'clinic-agent' } as const
export const redirectUri = 'http://127.0.0.1/callback'

const client = (id: string): ClientMetadata => ({
  client_id: id,
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
})

/** An OpenID provider for development: it signs in anybody by name alone. Put your own in its place. */
export async function startProvider(issuer: URL, resources: { app: string; agent: string }): Promise<Server> {
  const personOf = (name: string | undefined) => people.find((person) => person.name === name)
  const provider = new Provider(issuer.origin, {
    clients: Object.values(clients).map(client),
    clientAuthMethods: ['none'],
    scopes: ['openid'],
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource, { clientId }) => {
          if (resource !== resources[clientId === clients.agent ? 'agent' : 'app']) throw new errors.InvalidTarget()
          const scope = [...new Set(people.flatMap(scopesOf))].join(' ')
          return { scope, audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 3600 }
        },
      },
    },
    findAccount: (_ctx, name) => (personOf(name) ? { accountId: name, claims: () => ({ sub: name }) } : undefined),
    // Whoever signs in consents to whatever they may have.
    async loadExistingGrant(ctx) {
      const { client: { clientId = '' } = {}, session: { accountId } = {}, params } = ctx.oidc
      const person = personOf(accountId)
      if (!person) return undefined
      const grant = new ctx.oidc.provider.Grant({ accountId: person.name, clientId })
      grant.addOIDCScope('openid')
      const asked = String(params?.['scope']).split(' ')
      const granted = scopesOf(person).filter((scope) => asked.includes(scope))
      const resource = String(params?.['resource'])
      grant.addResourceScope(resource, granted.join(' '))
      grant.rejectResourceScope(resource, asked.filter((scope) => !granted.includes(scope)).join(' '))
      await grant.save()
      return grant
    },
    extraTokenClaims: (ctx) => {
      const person = personOf(ctx.oidc.entities.Account?.accountId)
      return person && { tenant: person.practice }
    },
  })
  const server = createServer(provider.callback())
  await new Promise<void>((resolve) => server.listen(Number(issuer.port), issuer.hostname, resolve))
  return server
}
