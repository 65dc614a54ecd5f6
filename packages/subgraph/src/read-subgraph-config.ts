// The subpath @behalf/subgraph/config: a process that only finds that a variable is missing need not load the rest.
import {
  logLevel,
  otlpEndpoint,
  port,
  postgresUrl,
  readEnvironment,
  type Environment,
  type LogLevel,
} from '@behalf/process'
import { z } from 'zod'

export type { Environment } from '@behalf/process'

/** What every subgraph's process is told by its environment. */
export interface SubgraphConfig {
  readonly port: number
  readonly host: string
  /** Of the app's own role. */
  readonly databaseUrl: string
  readonly contextKeys: string
  readonly trustDomain: string
  readonly logLevel: LogLevel
  /** Base URL of an OpenTelemetry collector; null where nobody collects. */
  readonly otlpEndpoint: string | null
}

const variables = z.object({
  BIND_HOST: z.string().default('127.0.0.1'),
  DATABASE_URL: postgresUrl,
  BEHALF_CONTEXT_KEYS: z.string(),
  BEHALF_TRUST_DOMAIN: z.string().default('behalf'),
  LOG_LEVEL: logLevel.default('info'),
  OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint,
})

/**
 * Reads the configuration of a subgraph's process: `<NAME>_PORT`, `BIND_HOST`, `DATABASE_URL`, `BEHALF_CONTEXT_KEYS`,
 * `BEHALF_TRUST_DOMAIN`, `LOG_LEVEL`, `OTEL_EXPORTER_OTLP_ENDPOINT`, and what the app adds. A variable that is set to nothing counts as not set.
 *
 * @param app.port - where it listens if `<NAME>_PORT` does not say
 * @param app.variables - a schema of the app's own variables; what it reads is `own`
 * @throws {ConfigurationError} that names every fault at once, and no value
 */
export function readSubgraphConfig<Own = undefined>(
  app: { readonly name: string; readonly port: number; readonly variables?: z.ZodType<Own> },
  env: Environment,
): SubgraphConfig & { readonly own: Own } {
  const portVariable = `${app.name.toUpperCase()}_PORT`
  const portOnly = z.object({ [portVariable]: port(app.port) }).transform((given) => ({ port: given[portVariable] }))
  const own = (app.variables ?? z.unknown().transform(() => undefined as Own)).transform((value) => ({ own: value }))
  // Both sides of an intersection are read, whatever is wrong with the other.
  const given = readEnvironment(portOnly.and(variables).and(own), env)
  return Object.freeze({
    port: given.port ?? app.port,
    host: given.BIND_HOST,
    databaseUrl: given.DATABASE_URL,
    contextKeys: given.BEHALF_CONTEXT_KEYS,
    trustDomain: given.BEHALF_TRUST_DOMAIN,
    logLevel: given.LOG_LEVEL,
    otlpEndpoint: given.OTEL_EXPORTER_OTLP_ENDPOINT,
    own: given.own,
  })
}
