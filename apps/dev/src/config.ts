import { randomBytes } from 'node:crypto'
import { isRootKey } from '@behalf/identity'
import { ConfigurationError, logLevel, port, postgresUrl, readEnvironment, type Environment } from '@behalf/process'
import { z } from 'zod'
import { clientIds } from './provider/clients.ts'

/** Others are told where it is, so that 0, any free one, is of no use. */
const knownPort = (fallback: number) => port(fallback).refine((value) => value !== 0, 'not a port number')
const webUrl = z.url({ protocol: /^https?$/, error: 'not an http or https URL' })
const notProduction = z
  .string()
  .refine((value) => value !== 'production', 'production is refused: this starts demo users without passwords')
  .optional()

/** Relative to the root of the repository. */
export const defaultDataDir = '.behalf'

const developmentVariables = {
  NODE_ENV: notProduction,
  GATEWAY_PORT: knownPort(4000),
  IDP_PORT: knownPort(4200),
  /** 0: the same. */
  IDP_LISTEN_PORT: port(0),
  GRAPHQL_RESOURCE: webUrl.optional(),
  MCP_RESOURCE: webUrl.optional(),
}

const clientDocuments = z
  .string()
  .default('')
  .transform((text) => text.split(',').filter(Boolean))
  .pipe(z.array(z.url({ protocol: /^https$/, error: 'not a list of https URLs' })))

const providerVariables = {
  ...developmentVariables,
  IDP_CLIENT_DOCUMENTS: clientDocuments,
  DEMO_SCOPES: z.string().default(''),
}

const supervisorVariables = {
  ...developmentVariables,
  GATEWAY_INTERNAL_PORT: knownPort(4001),
  GATEWAY_INTERNAL_URL: webUrl.optional(),
  POSTGRES_PORT: knownPort(4300),
  HOST: z.string().default('127.0.0.1'),
  DATABASE_URL: postgresUrl.optional(),
  IDP_CLIENT_DOCUMENTS: clientDocuments,
  OIDC_ISSUER: webUrl.optional(),
  INTERACTIVE_CLIENTS: z.string().optional(),
  TENANT_CLAIM: z.string().optional(),
  ISSUERS: z.string().optional(),
  BEHALF_ROOT_KEY: z
    .string()
    .refine(isRootKey, 'not 32 random bytes in base64url')
    .default(() => randomBytes(32).toString('base64url')),
  BEHALF_DATA_DIR: z.string().default(defaultDataDir),
  LOG_LEVEL: logLevel.default('debug'),
  OTEL_EXPORTER_OTLP_ENDPOINT: webUrl.optional(),
  MODEL_BASE_URL: webUrl.optional(),
  MODEL_API_KEY: z.string().optional(),
  MODEL_NAME: z.string().optional(),
  SUBGRAPHS: z
    .string()
    .regex(/^[a-z][a-z0-9-]*=https?:[^,]+(,[a-z][a-z0-9-]*=https?:[^,]+)*$/, {
      error: 'not a list of name=url',
      abort: true,
    })
    .optional(),
}

const ofOneIssuer = ['OIDC_ISSUER', 'INTERACTIVE_CLIENTS', 'TENANT_CLAIM'] as const

/** Handed on as they are: the gateway says what is wrong with them. */
const gatewayVariables = [
  'AUTHORIZATION_MODE',
  'INTROSPECTION',
  'APPROVALS_URL',
  'TRUSTED_DOCUMENTS',
  'TRUSTED_DOCUMENTS_ONLY',
  'LIMIT_OPERATION',
  'LIMIT_USER',
  'LIMIT_TENANT',
  'LIMIT_ANONYMOUS',
  'LIMIT_STREAMS',
  'LIMIT_CONCURRENT',
  'BATCH_MAX',
  'TRUSTED_PROXIES',
  'MODEL_CONTEXT',
  'MODEL_FACTS',
]

/** What the supervisor has to know of a subgraph to configure it; an `App` of @behalf/composition is one. */
interface ConfigurableApp {
  readonly name: string
  /** Used unless the environment says otherwise. */
  readonly port: number
}

export interface Config {
  readonly host: string
  readonly gatewayPort: number
  readonly internalPort: number
  readonly providerPort: number
  /** Where it listens, if something in between listens on its own port. */
  readonly providerListenPort: number
  /** URLs of client id metadata documents that the development provider reads. */
  readonly clientDocuments: readonly string[]
  readonly postgresPort: number
  /** By name of the subgraph. */
  readonly appPorts: ReadonlyMap<string, number>
  /** Of an administrator; null starts the embedded PostgreSQL. */
  readonly databaseUrl: string | null
  readonly issuer: string
  /** Whether the issuer is the development provider, which is then started. */
  readonly ownProvider: boolean
  readonly resources: Resources
  readonly rootKey: string
  /** As given; relative to the root of the repository. */
  readonly dataDir: string
  /** Where the orchestrator reaches the gateway. */
  readonly internalUrl: string
  /** Of subgraphs that the gateway is to reach somewhere else, by name. */
  readonly subgraphUrls: ReadonlyMap<string, string>
  /** Variables that are handed on as they are. */
  readonly logging: Readonly<Record<string, string>>
  readonly tracing: Readonly<Record<string, string>>
  readonly model: Readonly<Record<string, string>>
  /** What chat may use. */
  readonly budgets: Readonly<Record<string, string>>
  /** Of the gateway: whom it trusts to say who calls. */
  readonly trust: Readonly<Record<string, string>>
  /** Of the gateway, besides. */
  readonly gateway: Readonly<Record<string, string>>
  /** What the operating system needs to have in any process. */
  readonly system: Readonly<Record<string, string>>
  readonly startedByNpm: boolean
  /** Settings of where things are, as far as they were given: a later command needs the same. */
  readonly given: Readonly<Record<string, string>>
}

/**
 * Reads the configuration of the supervisor.
 *
 * @throws {ConfigurationError}
 */
export function readConfig(apps: readonly ConfigurableApp[], env: Environment = process.env): Config {
  const portVariables = Object.fromEntries(apps.map((app) => [portVariable(app.name), knownPort(app.port)]))
  const variables = z.object(supervisorVariables).superRefine((values, { addIssue }) => {
    const fault = (variable: string, message: string) => addIssue({ code: 'custom', path: [variable], message })
    if (values.MODEL_BASE_URL && !values.MODEL_NAME) fault('MODEL_NAME', 'not set; which model of MODEL_BASE_URL?')
    if (values.MODEL_NAME && !values.MODEL_BASE_URL) fault('MODEL_BASE_URL', 'not set; who serves MODEL_NAME?')
    for (const name of ofOneIssuer) {
      if (values.ISSUERS && values[name]) fault(name, 'set beside ISSUERS: the file takes its place')
    }
    for (const name of namedUrls(values.SUBGRAPHS).keys()) {
      if (!apps.some((app) => app.name === name)) fault('SUBGRAPHS', `names "${name}", which is no subgraph`)
    }
  })
  const ports = z.object(portVariables).transform((appPorts) => ({ appPorts }))
  const { appPorts, ...values } = readEnvironment(variables.and(ports), env)
  refuseSharedPorts({ ...values, ...appPorts })
  const devIssuer = `http://127.0.0.1:${values.IDP_PORT}`
  const issuer = values.OIDC_ISSUER ?? devIssuer
  return Object.freeze({
    host: values.HOST,
    gatewayPort: values.GATEWAY_PORT,
    internalPort: values.GATEWAY_INTERNAL_PORT,
    providerPort: values.IDP_PORT,
    providerListenPort: values.IDP_LISTEN_PORT || values.IDP_PORT,
    clientDocuments: values.IDP_CLIENT_DOCUMENTS,
    postgresPort: values.POSTGRES_PORT,
    appPorts: new Map(apps.map((app) => [app.name, appPorts[portVariable(app.name)] ?? app.port])),
    databaseUrl: values.DATABASE_URL ?? null,
    issuer,
    ownProvider: issuer === devIssuer,
    resources: resourcesOf(values),
    rootKey: values.BEHALF_ROOT_KEY,
    dataDir: values.BEHALF_DATA_DIR,
    internalUrl: values.GATEWAY_INTERNAL_URL ?? `http://127.0.0.1:${values.GATEWAY_INTERNAL_PORT}`,
    subgraphUrls: namedUrls(values.SUBGRAPHS),
    logging: { LOG_LEVEL: values.LOG_LEVEL },
    tracing: pick(env, ['OTEL_EXPORTER_OTLP_ENDPOINT']),
    model: pick(env, ['MODEL_BASE_URL', 'MODEL_API_KEY', 'MODEL_NAME', 'MODEL_CONTEXT']),
    budgets: pick(env, [
      'RUN_CONCURRENCY',
      'RUN_STEPS',
      'RUN_CALLS_PER_STEP',
      'RUN_TOKENS',
      'RUN_SECONDS',
      'USER_RUNS',
      'USER_TOKENS_PER_DAY',
      'TENANT_TOKENS_PER_DAY',
    ]),
    trust: trustOf(values, issuer),
    gateway: pick(env, gatewayVariables),
    system: pick(env, ['SystemRoot', 'TEMP', 'TMP']),
    startedByNpm: Boolean(env['npm_lifecycle_event']),
    given: pick(env, ['GATEWAY_PORT', 'IDP_PORT', 'GRAPHQL_RESOURCE', 'MCP_RESOURCE']),
  })
}

/** A list of issuers in a file, relative to the root of the repository; or one, by default the development provider. */
function trustOf(
  values: { readonly [Name in (typeof ofOneIssuer)[number] | 'ISSUERS']?: string | undefined },
  issuer: string,
): Record<string, string> {
  if (values.ISSUERS !== undefined) return { ISSUERS: values.ISSUERS }
  return {
    OIDC_ISSUER: issuer,
    INTERACTIVE_CLIENTS: values.INTERACTIVE_CLIENTS ?? `${clientIds.console},${clientIds.cli}`,
    ...(values.TENANT_CLAIM !== undefined && { TENANT_CLAIM: values.TENANT_CLAIM }),
  }
}

/** `orders` has `ORDERS_PORT`. */
export const portVariable = (app: string) => `${app.toUpperCase()}_PORT`

const namedUrls = (list = '') =>
  new Map(
    list
      .split(',')
      .filter(Boolean)
      .map((entry) => {
        const split = entry.indexOf('=')
        return [entry.slice(0, split), entry.slice(split + 1)] as const
      }),
  )

function pick(env: Environment, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
}

/** The audiences of access tokens. Unless set, they are the gateway's own URLs. */
interface Resources {
  readonly graphql: string
  readonly mcp: string
}

export interface ProviderConfig {
  readonly port: number
  readonly listenPort: number
  readonly resources: Resources
  /** Origin of the console. */
  readonly consoleUrl: string
  /** URLs of client id metadata documents that may be read. */
  readonly clientDocuments: readonly string[]
  /** Of all apps. */
  readonly demoScopes: readonly string[]
}

/** @throws {ConfigurationError} */
export function readProviderConfig(env: Environment = process.env): ProviderConfig {
  const values = readEnvironment(z.object(providerVariables), env)
  return Object.freeze({
    port: values.IDP_PORT,
    listenPort: values.IDP_LISTEN_PORT || values.IDP_PORT,
    resources: resourcesOf(values),
    consoleUrl: `http://127.0.0.1:${values.GATEWAY_PORT}`,
    clientDocuments: values.IDP_CLIENT_DOCUMENTS,
    demoScopes: values.DEMO_SCOPES.split(' ').filter(Boolean),
  })
}

export interface TokenConfig {
  readonly issuer: string
  readonly resources: Resources
}

/** @throws {ConfigurationError} */
export function readTokenConfig(env: Environment = process.env): TokenConfig {
  const values = readEnvironment(z.object(developmentVariables), env)
  return Object.freeze({ issuer: `http://127.0.0.1:${values.IDP_PORT}`, resources: resourcesOf(values) })
}

export interface OperateConfig {
  /** As given; relative to the root of the repository. */
  readonly dataDir: string
  /** What the operating system needs to have in any process. */
  readonly system: Readonly<Record<string, string>>
}

/** @throws {ConfigurationError} */
export function readOperateConfig(env: Environment = process.env): OperateConfig {
  const { NODE_ENV, BEHALF_DATA_DIR } = supervisorVariables
  const values = readEnvironment(z.object({ NODE_ENV, BEHALF_DATA_DIR }), env)
  return Object.freeze({ dataDir: values.BEHALF_DATA_DIR, system: pick(env, ['SystemRoot', 'TEMP', 'TMP']) })
}

function resourcesOf(values: {
  GATEWAY_PORT: number
  GRAPHQL_RESOURCE?: string | undefined
  MCP_RESOURCE?: string | undefined
}): Resources {
  const gateway = `http://127.0.0.1:${values.GATEWAY_PORT}`
  return {
    graphql: values.GRAPHQL_RESOURCE ?? `${gateway}/graphql`,
    mcp: values.MCP_RESOURCE ?? `${gateway}/mcp`,
  }
}

function refuseSharedPorts(values: Readonly<Record<string, unknown>>): void {
  const faults: string[] = []
  const taken = new Map<unknown, string>()
  for (const [name, value] of Object.entries(values)) {
    if (!name.endsWith('_PORT')) continue
    const other = taken.get(value)
    if (other !== undefined) faults.push(`${name}: ${String(value)}, and so is ${other}`)
    taken.set(value, name)
  }
  if (faults.length > 0) throw new ConfigurationError(faults)
}
