import type { FastifyInstance } from 'fastify'
import type { IssuerConfig, Resource } from '../authenticate/issuer.ts'

/** What a client can find out about a resource before it has a token (RFC 9728). */
export interface ResourceMetadata {
  /** Where it is, for challenges. */
  readonly url: string
  readonly document: {
    readonly resource: string
    readonly authorization_servers: readonly string[]
    readonly scopes_supported: readonly string[]
    readonly bearer_methods_supported: readonly ['header']
  }
}

const wellKnown = '/.well-known/oauth-protected-resource'

/**
 * Of `/graphql` or `/mcp`, which is named by the audience of the first issuer that has one; undefined where that is no URL,
 * and so nothing that could be found by it.
 */
export function describeResource(
  issuers: readonly IssuerConfig[],
  of: Resource,
  scopes: Iterable<string>,
): ResourceMetadata | undefined {
  const resource = issuers.find(({ audiences }) => audiences[of] !== undefined)?.audiences[of] ?? ''
  const url = URL.parse(resource)
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined
  const { origin, pathname, search } = url
  return {
    // RFC 9728 3.1: the well-known part goes between host and path.
    url: `${origin}${wellKnown}${pathname === '/' ? '' : pathname}${search}`,
    document: {
      resource,
      authorization_servers: issuers.filter(({ audiences }) => audiences[of] === resource).map(({ issuer }) => issuer),
      scopes_supported: [...new Set(scopes)].toSorted(),
      bearer_methods_supported: ['header'],
    },
  }
}

/** @param describe - as it is at the moment; always at the same place. */
export function addResourceMetadata(app: FastifyInstance, describe: () => ResourceMetadata | undefined): void {
  const metadata = describe()
  if (metadata !== undefined) app.get(new URL(metadata.url).pathname, async () => describe()?.document)
}
