import { createAuthority } from '@behalf/authority'
import { createGateway } from '@behalf/gateway'
import { createMcpEndpoint } from '@behalf/mcp'
import { createLog } from '@behalf/process'
import { createRegistry } from '@behalf/tools'
import type { Config } from './config.ts'
import { agentScopes } from './agent-scopes.ts'
import { policies } from './policies.ts'

/** The gateway with its trust state in PostgreSQL and the tools of its graph; listening when this resolves. */
export async function startGateway(config: Config): Promise<{ close(): Promise<void> }> {
  const log = createLog('gateway', config.logLevel)
  const authority = createAuthority({
    url: config.databaseUrl,
    onLimiterFallback: (cause) =>
      log.warn({ err: cause }, 'the database does not answer: limits are counted by this process alone'),
  })
  authority.audit.onLost((count, err) => log.error({ count, err }, 'audit events lost'))
  const gateway = await createGateway({
    graph: config.graph,
    subgraphs: config.subgraphs,
    rootKey: config.rootKey,
    epoch: config.epoch,
    trustDomain: config.trustDomain,
    issuers: config.issuers,
    policies,
    authorization: config.authorization,
    limits: config.limits,
    trustedProxies: config.trustedProxies,
    introspection: config.introspection,
    documents: config.documents,
    batching: config.batching,
    model: config.model,
    authority,
    registry: createRegistry,
    mcp: createMcpEndpoint({ name: 'behalf', version: '0.0.0' }),
    approvalsUrl: config.approvalsUrl,
    agentScopes,
    log,
  })
  await authority.start().catch((cause: unknown) => {
    throw new Error('The database does not answer.', { cause })
  })
  log.info(await gateway.listen(config.listen), 'listening')
  return {
    async close() {
      log.info('closing')
      await gateway.close()
      await authority.close()
    },
  }
}
