import type { FastifyInstance } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from '../http/admission.ts'
import { addResourceMetadata, describeResource } from '../http/resource-metadata.ts'
import type { McpEndpoint } from './mcp-endpoint.ts'
import { addMcpRoute } from './mcp-route.ts'
import { createToolsOf } from './mcp-tools.ts'

/** Serves the registry's tools at `/mcp`, and what clients have to know of it, where issuers have a URL for it. */
export function addMcp(
  app: FastifyInstance,
  {
    admit,
    graphs,
    endpoint,
    requests,
    ...options
  }: Omit<Parameters<typeof createToolsOf>[0], 'home'> & {
    readonly admit: Admit
    readonly graphs: ServedGraphs
    readonly endpoint: McpEndpoint
    readonly requests: RequestAudit
  },
): void {
  const describe = () =>
    describeResource(
      options.issuers,
      'mcp',
      graphs.current.tools.flatMap(({ scopes }) => scopes.flat()),
    )
  const metadata = describe()
  if (metadata === undefined) return
  addResourceMetadata(app, describe)
  const home = new URL('/', metadata.document.resource).href
  addMcpRoute(app, {
    admit,
    graphs,
    endpoint,
    metadata,
    audit: requests,
    toolsOf: createToolsOf({ ...options, home }),
  })
}
