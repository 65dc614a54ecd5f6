import { join } from 'node:path'
import { deriveContextKeys, deriveWorkloadKey } from '@behalf/identity'
import { portVariable, type Config } from '../config.ts'
import type { ProcessPlan } from './child-process.ts'

const epoch = 1
const loopback = '127.0.0.1'

export interface PlannedProcess extends ProcessPlan {
  /** Answers 200 when it can be used. */
  readonly ready: string
}

export interface SystemPlan {
  /** A process of a subgraph that listens on `port`. */
  subgraph(app: { readonly name: string; readonly directory: string }, port: number): PlannedProcess
  readonly gateway: PlannedProcess
  /** What the gateway says of itself, on its internal port. */
  readonly gatewayStatus: string
}

/** Where a subgraph that listens on `port` answers. */
export const subgraphUrl = (port: number) => `http://${loopback}:${port}/graphql`

/** The development provider, which needs nothing but its port, the audiences, and what apps add for its users. */
export function planProvider(
  config: Config,
  root: string,
  apps: readonly { readonly demoScopes: readonly string[] }[],
): PlannedProcess {
  return {
    name: 'provider',
    script: join(root, 'apps/dev/src/provider/main.ts'),
    env: {
      ...config.system,
      IDP_PORT: String(config.providerPort),
      IDP_LISTEN_PORT: String(config.providerListenPort),
      GATEWAY_PORT: String(config.gatewayPort),
      GRAPHQL_RESOURCE: config.resources.graphql,
      MCP_RESOURCE: config.resources.mcp,
      IDP_CLIENT_DOCUMENTS: config.clientDocuments.join(),
      DEMO_SCOPES: apps.flatMap(({ demoScopes }) => demoScopes).join(' '),
    },
    ready: `http://${loopback}:${config.providerPort}/healthz`,
  }
}

/**
 * Which processes there are, and what each of them is told: its own port, its own role's database, its own keys.
 * Nothing of the supervisor's environment reaches them but what is named here.
 *
 * @param databaseUrl of a role, by the name of its app
 */
export function planSystem({
  config,
  root,
  databaseUrl,
  graphFile,
}: {
  config: Config
  root: string
  databaseUrl: (role: string) => string
  graphFile: string
}): SystemPlan {
  const shared = { ...config.system, ...config.logging, ...config.tracing }
  const ready = (port: number | string, host = loopback) => `http://${host}:${port}/readyz`

  // The one app that may ask the gateway to act: only it is given a key to prove itself with.
  const agentEnvironment = {
    BEHALF_WORKLOAD_KEY: deriveWorkloadKey(config.rootKey, 'orchestrator', epoch),
    GATEWAY_INTERNAL_URL: config.internalUrl,
    ...config.model,
    ...config.budgets,
  }

  return {
    subgraph: ({ name, directory }, port) => ({
      name,
      script: join(directory, 'src/main.ts'),
      env: {
        ...shared,
        [portVariable(name)]: String(port),
        DATABASE_URL: databaseUrl(name),
        BEHALF_CONTEXT_KEYS: deriveContextKeys(config.rootKey, name, [epoch]),
        ...(name === 'orchestrator' ? agentEnvironment : {}),
      },
      ready: ready(port),
    }),
    gatewayStatus: `http://${loopback}:${config.internalPort}/readyz?verbose`,
    gateway: {
      name: 'gateway',
      script: join(root, 'apps/gateway/src/main.ts'),
      // As docs/reference/config.md says to: what a request needs is garbage before the young generation is full.
      nodeArgs: ['--max-semi-space-size=32'],
      env: {
        ...shared,
        GATEWAY_PORT: String(config.gatewayPort),
        GATEWAY_INTERNAL_PORT: String(config.internalPort),
        HOST: config.host,
        BEHALF_ROOT_KEY: config.rootKey,
        DATABASE_URL: databaseUrl('gateway'),
        GRAPHQL_RESOURCE: config.resources.graphql,
        MCP_RESOURCE: config.resources.mcp,
        GRAPH: graphFile,
        // The graph says where the others are, and says so anew when they move.
        ...(config.subgraphUrls.size > 0 && {
          SUBGRAPHS: Array.from(config.subgraphUrls, ([name, url]) => `${name}=${url}`).join(','),
        }),
        ...config.trust,
        ...config.gateway,
      },
      ready: ready(config.gatewayPort, reachable(config.host)),
    },
  }
}

/** An address of this machine for a host that means "all of them". */
export const reachable = (host: string) => {
  if (host === '0.0.0.0' || host === '::' || host === '') return loopback
  return host.includes(':') ? `[${host}]` : host
}
