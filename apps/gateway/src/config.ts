import { isRootKey } from '@behalf/identity'
import { logLevel, port, postgresUrl, readEnvironment, type Environment } from '@behalf/process'
import { z } from 'zod'
import { bounds, rates } from './limit-variables.ts'

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)

/** `orders=http://127.0.0.1:4102/graphql,balance=...` */
const subgraphs = list
  .pipe(z.array(z.string().regex(/^[a-z][a-z0-9_-]*=https?:\/\/\S+$/, 'Write <name>=<url>, separated by commas.')))
  .transform((items) =>
    Object.fromEntries(items.map((item) => [item.slice(0, item.indexOf('=')), item.slice(item.indexOf('=') + 1)])),
  )

const addresses = list.pipe(
  z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'Write addresses or networks, separated by commas.')),
)

const environment = z.object({
  GATEWAY_PORT: port(4000),
  HOST: z.string().default('127.0.0.1'),
  GATEWAY_INTERNAL_PORT: port(4001),
  GATEWAY_INTERNAL_HOST: z.string().default('127.0.0.1'),
  GRAPH: z.string().default('graph.json'),
  SUBGRAPHS: subgraphs.default({}),
  DATABASE_URL: postgresUrl,
  BEHALF_ROOT_KEY: z.string().refine(isRootKey, 'At least 32 random bytes as base64url.'),
  BEHALF_KEY_EPOCH: z.coerce.number().int().min(0).default(1),
  BEHALF_TRUST_DOMAIN: z.string().default('behalf'),
  OIDC_ISSUER: z.url(),
  GRAPHQL_RESOURCE: z.url(),
  INTERACTIVE_CLIENTS: list.default([]),
  TENANT_CLAIM: z.string().default('tenant'),
  LIMIT_OPERATION: bounds('tokens', 'depth', 'fields', 'rootFields', 'aliases', 'directives', 'cost'),
  LIMIT_USER: rates('requests', 'cost', 'toolCalls'),
  LIMIT_TENANT: rates('requests', 'cost'),
  LIMIT_ANONYMOUS: rates('requests', 'cost', 'refusedCredentials'),
  TRUSTED_PROXIES: addresses.default([]),
  INTROSPECTION: z.enum(['on', 'off']).default('on'),
  LOG_LEVEL: logLevel.default('info'),
})

export type Config = ReturnType<typeof readConfig>

/**
 * Reads the configuration of this process; a variable that is set to nothing counts as not set.
 *
 * @throws {ConfigurationError} that names every fault at once, and no value.
 */
export function readConfig(env: Environment = process.env) {
  const given = readEnvironment(environment, env)
  return Object.freeze({
    listen: {
      port: given.GATEWAY_PORT,
      host: given.HOST,
      internalPort: given.GATEWAY_INTERNAL_PORT,
      internalHost: given.GATEWAY_INTERNAL_HOST,
    },
    graph: given.GRAPH,
    subgraphs: given.SUBGRAPHS,
    databaseUrl: given.DATABASE_URL,
    rootKey: given.BEHALF_ROOT_KEY,
    epoch: given.BEHALF_KEY_EPOCH,
    trustDomain: given.BEHALF_TRUST_DOMAIN,
    issuer: {
      issuer: given.OIDC_ISSUER,
      audience: given.GRAPHQL_RESOURCE,
      interactiveClients: given.INTERACTIVE_CLIENTS,
      claims: { tenant: given.TENANT_CLAIM },
    },
    limits: {
      operation: given.LIMIT_OPERATION,
      user: given.LIMIT_USER,
      tenant: given.LIMIT_TENANT,
      anonymous: given.LIMIT_ANONYMOUS,
    },
    trustedProxies: given.TRUSTED_PROXIES,
    introspection: given.INTROSPECTION === 'on',
    logLevel: given.LOG_LEVEL,
  })
}
