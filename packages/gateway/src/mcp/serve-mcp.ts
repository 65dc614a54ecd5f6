import { text } from 'node:stream/consumers'
import type { FastifyInstance } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from '../http/admission.ts'
import type { DirectPost } from '../http/direct-posts.ts'
import { goneSignal } from '../http/gone-signal.ts'
import { addResourceMetadata, describeResource } from '../http/resource-metadata.ts'
import { createMcpAnswers, writeMcpError } from './mcp-answers.ts'
import type { McpEndpoint } from './mcp-endpoint.ts'
import { createToolsOf } from './mcp-tools.ts'

/** `/mcp`, and what clients have to know of it. */
export interface ServedMcp {
  /** Of calls, by path. */
  readonly posts: Readonly<Record<string, DirectPost>>
  addTo(app: FastifyInstance): void
}

/** Serves the registry's tools at `/mcp`; null where issuers have no URL for it. */
export function serveMcp({
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
}): ServedMcp | null {
  const describe = () =>
    describeResource(
      options.issuers,
      'mcp',
      graphs.current.tools.flatMap(({ scopes }) => scopes.flat()),
    )
  const metadata = describe()
  if (metadata === undefined) return null
  const { resource } = metadata.document
  const toolsOf = createToolsOf({ ...options, home: new URL('/', resource).href })
  const answer = createMcpAnswers({ admit, graphs, toolsOf, endpoint, resource, audit: requests })
  const writeError = writeMcpError(metadata.url)
  const post: DirectPost = {
    async answer(request, signal) {
      const { body, ...rest } = await answer(request, signal)
      return { ...rest, text: typeof body === 'string' ? body : await text(body) }
    },
    writeError,
    // As 2026-07-28 has them, which say so in their head; and what clients of before it send, once they began: every answer
    // to that has an end, be it a stream of events.
    takes: ({ 'mcp-method': method, 'mcp-protocol-version': revision }) =>
      method === 'tools/call' || revision === '2025-11-25' || revision === '2025-06-18',
  }

  return {
    posts: { '/mcp': post },
    addTo(app) {
      addResourceMetadata(app, describe)
      app.all('/mcp', { config: { writeError } }, async (request, reply) => {
        const { status, headers, body } = await answer(request, goneSignal(reply.raw))
        reply.code(status).headers(headers)
        return body
      })
    },
  }
}
