import { z } from 'zod'

const environment = z.object({
  ORDERS_PORT: z.coerce.number().int().min(0).max(65_535).default(4102),
  BIND_HOST: z.string().default('127.0.0.1'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  BEHALF_CONTEXT_KEYS: z.string(),
  BEHALF_TRUST_DOMAIN: z.string().default('behalf'),
  LOG_LEVEL: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
})

export type Config = ReturnType<typeof readConfig>

/**
 * Reads the configuration of this process; a variable that is set to nothing counts as not set.
 *
 * @throws ZodError that names every fault at once, and no value.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>) {
  const given = environment.parse(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')))
  return Object.freeze({
    port: given.ORDERS_PORT,
    host: given.BIND_HOST,
    databaseUrl: given.DATABASE_URL,
    contextKeys: given.BEHALF_CONTEXT_KEYS,
    trustDomain: given.BEHALF_TRUST_DOMAIN,
    logLevel: given.LOG_LEVEL,
  })
}
