// The subpath @behalf/gateway/config: a process that only finds that a variable is missing need not load the rest.
import { isRootKey } from '@behalf/identity'
import { logLevel, otlpEndpoint, port, postgresUrl, readEnvironment, type Environment } from '@behalf/process'
import { z } from 'zod'
import type { IssuerConfig } from '../authenticate/issuer.ts'
import type { RemoteGraph } from '../graph/remote-graph.ts'
import { requireGraphUrl } from '../graph/require-graph-url.ts'
import { bounds, rates } from './limit-variables.ts'
import { documentsFile } from './read-documents.ts'
import { issuersFile } from './read-issuers.ts'

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

const isUrl = (text: string) => /^https?:\/\//i.test(text)

/** A path, or a URL. */
const graph = z.string().transform((text, { addIssue }) => {
  try {
    if (isUrl(text)) requireGraphUrl(text)
    return text
  } catch {
    addIssue('not an https URL without a credential in it; http is for this machine only')
    return z.NEVER
  }
})

const addresses = list.pipe(
  z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'Write addresses or networks, separated by commas.')),
)

const variables = z.object({
  GATEWAY_PORT: port(4000),
  HOST: z.string().default('127.0.0.1'),
  GATEWAY_INTERNAL_PORT: port(4001),
  GATEWAY_INTERNAL_HOST: z.string().default('127.0.0.1'),
  GRAPH: graph.default('graph.json'),
  GRAPH_POLL_SECONDS: z.coerce.number().int().min(1).max(86_400).optional(),
  // RFC 6750 2.1
  GRAPH_TOKEN: z
    .string()
    .regex(/^[\w.~+/-]+=*$/, 'not a bearer token')
    .optional(),
  SUBGRAPHS: subgraphs.default({}),
  DATABASE_URL: postgresUrl,
  BEHALF_ROOT_KEY: z.string().refine(isRootKey, 'At least 32 random bytes as base64url.'),
  BEHALF_KEY_EPOCH: z.coerce.number().int().min(0).default(1),
  BEHALF_TRUST_DOMAIN: z.string().default('behalf'),
  GRAPHQL_RESOURCE: z.url(),
  MCP_RESOURCE: z.url().optional(),
  APPROVALS_URL: z.url({ protocol: /^https?$/ }).optional(),
  OIDC_ISSUER: z.url().optional(),
  INTERACTIVE_CLIENTS: list.optional(),
  TENANT_CLAIM: z.string().optional(),
  ISSUERS: issuersFile.optional(),
  AUTHORIZATION_MODE: z.enum(['filter', 'reject', 'dry-run']).default('filter'),
  LIMIT_OPERATION: bounds('tokens', 'depth', 'fields', 'rootFields', 'aliases', 'directives', 'cost'),
  LIMIT_USER: rates('requests', 'cost', 'toolCalls'),
  LIMIT_TENANT: rates('requests', 'cost'),
  LIMIT_ANONYMOUS: rates('requests', 'cost', 'refusedCredentials'),
  LIMIT_STREAMS: bounds('user', 'anonymous', 'all'),
  LIMIT_CONCURRENT: z.coerce.number().int().min(1).max(1_000_000).optional(),
  BATCH_MAX: z.coerce.number().int().min(1).max(1000).optional(),
  TRUSTED_PROXIES: addresses.default([]),
  INTROSPECTION: z.enum(['on', 'off']).default('on'),
  TRUSTED_DOCUMENTS: documentsFile.default({}),
  TRUSTED_DOCUMENTS_ONLY: z.enum(['on', 'off']).default('off'),
  MODEL_CONTEXT: z.enum(['on', 'off']).default('off'),
  MODEL_FACTS: list.default([]),
  LOG_LEVEL: logLevel.default('info'),
  OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint,
})

/** A slip that would have every client refused. */
const nothingTrusted = {
  path: ['TRUSTED_DOCUMENTS'],
  error: 'not set, or empty: with TRUSTED_DOCUMENTS_ONLY nothing would be executed',
}

/** Whoever sets one of these believes that a URL is asked. */
const ofRemoteGraph = ['GRAPH_POLL_SECONDS', 'GRAPH_TOKEN'] as const

const ofOneIssuer = ['OIDC_ISSUER', 'INTERACTIVE_CLIENTS', 'TENANT_CLAIM'] as const

/** Who is trusted is said in one place: what is set beside `ISSUERS` would be passed over in silence. */
const environment = variables
  .refine(
    ({ TRUSTED_DOCUMENTS, TRUSTED_DOCUMENTS_ONLY }) =>
      TRUSTED_DOCUMENTS_ONLY !== 'on' || Object.keys(TRUSTED_DOCUMENTS).length > 0,
    nothingTrusted,
  )
  .superRefine((given, { addIssue }) => {
    if (isUrl(given.GRAPH)) return
    for (const name of ofRemoteGraph)
      if (given[name] !== undefined) addIssue({ code: 'custom', path: [name], message: 'set, but GRAPH is not a URL' })
  })
  .refine(({ OIDC_ISSUER, ISSUERS }) => OIDC_ISSUER !== undefined || ISSUERS !== undefined, {
    path: ['OIDC_ISSUER'],
    error: 'not set, and neither is ISSUERS',
    when: () => true,
  })
  .refine(
    ({ ISSUERS, ...others }) => ISSUERS === undefined || ofOneIssuer.every((name) => others[name] === undefined),
    {
      path: ['ISSUERS'],
      error: `set beside ${ofOneIssuer.join(', ')}: the file takes the place of these`,
      when: () => true,
    },
  )

export type { Environment } from '@behalf/process'

/** What a gateway's process is told by its environment: `listen` is for `listen()`, the rest for `createGateway`. */
export type GatewayConfig = ReturnType<typeof readGatewayConfig>

/**
 * Reads the configuration of a gateway's process, as docs/reference/config.md has it; a variable that is set to nothing counts as not set.
 *
 * @throws {ConfigurationError} that names every fault at once, and no value.
 */
export function readGatewayConfig(env: Environment) {
  const given = readEnvironment(environment, env)
  return Object.freeze({
    listen: {
      port: given.GATEWAY_PORT,
      host: given.HOST,
      internalPort: given.GATEWAY_INTERNAL_PORT,
      internalHost: given.GATEWAY_INTERNAL_HOST,
    },
    graph: graphOf(given),
    subgraphs: given.SUBGRAPHS,
    databaseUrl: given.DATABASE_URL,
    rootKey: given.BEHALF_ROOT_KEY,
    epoch: given.BEHALF_KEY_EPOCH,
    trustDomain: given.BEHALF_TRUST_DOMAIN,
    issuers: issuersOf(given),
    authorization: { mode: given.AUTHORIZATION_MODE },
    limits: {
      operation: given.LIMIT_OPERATION,
      user: given.LIMIT_USER,
      tenant: given.LIMIT_TENANT,
      anonymous: given.LIMIT_ANONYMOUS,
      streams: given.LIMIT_STREAMS,
      ...(given.LIMIT_CONCURRENT !== undefined && { concurrentRequests: given.LIMIT_CONCURRENT }),
    },
    batching: given.BATCH_MAX === undefined ? null : { most: given.BATCH_MAX },
    trustedProxies: given.TRUSTED_PROXIES,
    introspection: given.INTROSPECTION === 'on',
    approvalsUrl: given.APPROVALS_URL,
    documents: { trusted: given.TRUSTED_DOCUMENTS, only: given.TRUSTED_DOCUMENTS_ONLY === 'on' },
    model: given.MODEL_CONTEXT === 'on' ? { facts: given.MODEL_FACTS } : null,
    logLevel: given.LOG_LEVEL,
    otlpEndpoint: given.OTEL_EXPORTER_OTLP_ENDPOINT,
  })
}

function graphOf({ GRAPH, GRAPH_POLL_SECONDS, GRAPH_TOKEN }: z.output<typeof variables>): string | RemoteGraph {
  if (!isUrl(GRAPH)) return GRAPH
  return {
    url: GRAPH,
    token: GRAPH_TOKEN,
    ...(GRAPH_POLL_SECONDS !== undefined && { everyMs: GRAPH_POLL_SECONDS * 1000 }),
  }
}

function issuersOf(given: z.output<typeof variables>): readonly IssuerConfig[] {
  const { OIDC_ISSUER = '', INTERACTIVE_CLIENTS = [], TENANT_CLAIM = 'tenant' } = given
  const one = {
    issuer: OIDC_ISSUER,
    audiences: {},
    interactiveClients: INTERACTIVE_CLIENTS,
    claims: { tenant: TENANT_CLAIM },
  }
  const resources = {
    graphql: given.GRAPHQL_RESOURCE,
    ...(given.MCP_RESOURCE !== undefined && { mcp: given.MCP_RESOURCE }),
  }
  return (given.ISSUERS ?? [one]).map((issuer) => ({ ...issuer, audiences: { ...resources, ...issuer.audiences } }))
}
