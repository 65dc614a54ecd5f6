// A gateway without a database, of which the size is measured: told by GROWTH what to serve, and by messages whom to end.
import { createGateway } from '@behalf/gateway'
import type { Revocation } from '@behalf/identity'
import { createMcpEndpoint } from '@behalf/mcp'
import { createRegistry } from '@behalf/tools'
import pino from 'pino'
import { createStandInAuthority } from '../gateway/stand-in-authority.ts'

export interface Growth {
  readonly graph: string
  readonly urls: Readonly<Record<string, string>>
  readonly issuer: string
  readonly audience: string
  readonly mcpAudience: string
  readonly secret: string
  readonly heartbeatMs: number
}
export interface Revoke {
  readonly revoke: string
  readonly times: number
}
/** Of CPU time, until all who listen were told. */
export interface Revoked {
  readonly microseconds: number
}

const { graph, urls, issuer, audience, mcpAudience, secret, heartbeatMs } = JSON.parse(
  process.env['GROWTH'] ?? '{}',
) as Growth
const listeners = new Set<(revocation: Revocation) => void>()
const authority = createStandInAuthority()
const none = { requests: null, cost: null }
const gateway = await createGateway({
  graph,
  subgraphs: urls,
  rootKey: secret,
  issuers: [{ issuer, audiences: { graphql: audience, mcp: mcpAudience }, interactiveClients: ['bench'] }],
  authority: {
    ...authority,
    revocations: {
      ...authority.revocations,
      onRevoked(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  },
  registry: createRegistry,
  mcp: createMcpEndpoint({ name: 'bench', version: '1' }),
  limits: {
    user: { ...none, toolCalls: null },
    tenant: none,
    anonymous: none,
    operation: { fields: 1e6, rootFields: 1e6, aliases: 1e6, cost: 1e9, tokens: 1e6 },
    streams: { user: 100_000, all: 100_000, heartbeatMs },
  },
  log: pino({ level: 'warn' }),
})
process.on('message', (message: Partial<Revoke>) => {
  const { revoke: subject, times = 0 } = message
  if (subject === undefined) return
  const before = process.cpuUsage()
  for (let sequence = 0; sequence < times; sequence++)
    for (const tell of listeners)
      tell({ sequence, revoked: { kind: 'subject', issuer: null, subject }, notBefore: new Date(), reason: 'OPERATOR' })
  const { user, system } = process.cpuUsage(before)
  process.send?.({ microseconds: user + system } satisfies Revoked)
})
const { url } = await gateway.listen({ port: 0, internalPort: 0 })
process.once('SIGTERM', () => process.exit(0))
console.log(`READY ${url}`)
