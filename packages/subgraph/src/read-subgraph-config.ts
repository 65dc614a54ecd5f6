import { z } from 'zod'

/** What every subgraph's process is told by its environment. */
export interface SubgraphConfig {
  readonly port: number
  readonly host: string
  /** Of the app's own role. */
  readonly databaseUrl: string
  readonly contextKeys: string
  readonly trustDomain: string
  readonly logLevel: (typeof logLevels)[number]
}

export type Environment = Readonly<Record<string, string | undefined>>

const logLevels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const

const variables = z.object({
  BIND_HOST: z.string().default('127.0.0.1'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  BEHALF_CONTEXT_KEYS: z.string(),
  BEHALF_TRUST_DOMAIN: z.string().default('behalf'),
  LOG_LEVEL: z.enum(logLevels).default('info'),
})

/**
 * Reads the configuration of a subgraph's process: `<NAME>_PORT`, `BIND_HOST`, `DATABASE_URL`, `BEHALF_CONTEXT_KEYS`,
 * `BEHALF_TRUST_DOMAIN`, `LOG_LEVEL`, and what the app adds. A variable that is set to nothing counts as not set.
 *
 * @param app.port - where it listens if `<NAME>_PORT` does not say
 * @param app.variables - a schema of the app's own variables; what it reads is `own`
 * @throws {z.ZodError} that names every fault at once, and no value
 */
export function readSubgraphConfig<Own = undefined>(
  app: { readonly name: string; readonly port: number; readonly variables?: z.ZodType<Own> },
  env: Environment,
): SubgraphConfig & { readonly own: Own } {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const portVariable = `${app.name.toUpperCase().replaceAll('-', '_')}_PORT`
  const port = z
    .object({ [portVariable]: z.coerce.number().int().min(0).max(65_535).default(app.port) })
    .safeParse(given)
  const common = variables.safeParse(given)
  const own = (app.variables ?? z.undefined().transform(() => undefined as Own)).safeParse(app.variables && given)
  if (!port.success || !common.success || !own.success) {
    throw new z.ZodError([port, common, own].flatMap(({ error }) => error?.issues ?? []))
  }
  return Object.freeze({
    port: Number(port.data[portVariable]),
    host: common.data.BIND_HOST,
    databaseUrl: common.data.DATABASE_URL,
    contextKeys: common.data.BEHALF_CONTEXT_KEYS,
    trustDomain: common.data.BEHALF_TRUST_DOMAIN,
    logLevel: common.data.LOG_LEVEL,
    own: own.data,
  })
}
