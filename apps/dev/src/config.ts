import { z } from 'zod'

/** Everything that is wrong with the environment, in one error. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}

type Environment = Readonly<Record<string, string | undefined>>

const port = (fallback: number) => z.coerce
  .number('is not a port number')
  .int('is not a port number')
  .min(1, 'is not a port number')
  .max(65535, 'is not a port number')
  .default(fallback)
const webUrl = z.url({ protocol: /^https?$/, error: 'is not an http or https URL' })
const notProduction = z.string()
  .refine((value) => value !== 'production', 'is production: this starts demo users without passwords')
  .optional()

const developmentVariables = {
  NODE_ENV: notProduction,
  GATEWAY_PORT: port(4000),
  IDP_PORT: port(4200),
  GRAPHQL_RESOURCE: webUrl.optional(),
  MCP_RESOURCE: webUrl.optional(),
}

/** The audiences of access tokens. Unless set, they are the gateway's own URLs. */
interface Resources {
  readonly graphql: string
  readonly mcp: string
}

export interface ProviderConfig {
  readonly port: number
  readonly resources: Resources
  /** Origin of the console. */
  readonly consoleUrl: string
}

/** @throws ConfigError */
export function readProviderConfig(env: Environment): ProviderConfig {
  const values = parse(z.object(developmentVariables), env)
  return Object.freeze({
    port: values.IDP_PORT,
    resources: resourcesOf(values),
    consoleUrl: `http://127.0.0.1:${values.GATEWAY_PORT}`,
  })
}

export interface TokenConfig {
  readonly issuer: string
  readonly resources: Resources
}

/** @throws ConfigError */
export function readTokenConfig(env: Environment): TokenConfig {
  const values = parse(z.object(developmentVariables), env)
  return Object.freeze({ issuer: `http://127.0.0.1:${values.IDP_PORT}`, resources: resourcesOf(values) })
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

function parse<Shape extends z.ZodType>(shape: Shape, env: Environment): z.output<Shape> {
  // An empty variable is an unset one, as in a shell's `VAR= npm start`.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const result = shape.safeParse(given)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`))
}
