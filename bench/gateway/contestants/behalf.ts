import { createGateway } from '@behalf/gateway'
import { createMcpEndpoint } from '@behalf/mcp'
import { createRegistry } from '@behalf/tools'
import { readContest, ready } from '../contest.ts'
import { createStandInAuthority } from '../stand-in-authority.ts'

const { graph, openGraph, issuer, audience, mcpAudience, secret } = readContest()
// Limits are counted, and not reached.
const plenty = { requests: 1e9, cost: 1e12 }
const gateway = await createGateway({
  graph: process.env['OPEN'] === 'yes' ? openGraph : graph,
  rootKey: secret,
  issuers: [{ issuer, audiences: { graphql: audience, mcp: mcpAudience }, interactiveClients: ['bench'] }],
  authority: createStandInAuthority(),
  registry: createRegistry,
  mcp: createMcpEndpoint({ name: 'bench', version: '1' }),
  limits: { user: { ...plenty, toolCalls: 1e9 }, tenant: plenty, anonymous: plenty },
})
const { url } = await gateway.listen({ port: 0, internalPort: 0 })
ready(`${url}/graphql`)
