import { createAuthority } from '@behalf/authority'
import { createGateway } from '@behalf/gateway'
import type { GatewayConfig } from '@behalf/gateway/config'
import { createMcpEndpoint } from '@behalf/mcp'
import { createLog } from '@behalf/process'
import { createRegistry } from '@behalf/tools'

/** The gateway of graph.json, with its records in PostgreSQL and the tools at `/mcp`; listening when this resolves. */
export async function startGateway({ databaseUrl, listen, logLevel, otlpEndpoint: _traces, ...config }: GatewayConfig) {
  const authority = createAuthority(databaseUrl)
  const gateway = await createGateway({
    ...config,
    authority,
    registry: createRegistry,
    mcp: createMcpEndpoint({ name: 'clinic', version: '1.0.0' }),
    log: createLog('gateway', logLevel),
  })
  await authority.start()
  await gateway.listen(listen)
  return {
    async close() {
      await gateway.close()
      await authority.close()
    },
  }
}
