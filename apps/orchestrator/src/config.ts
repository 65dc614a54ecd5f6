import { z } from 'zod'

const environment = z
  .object({
    ORCHESTRATOR_PORT: z.coerce.number().int().min(0).max(65_535).default(4104),
    BIND_HOST: z.string().default('127.0.0.1'),
    DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
    BEHALF_CONTEXT_KEYS: z.string(),
    BEHALF_TRUST_DOMAIN: z.string().default('behalf'),
    LOG_LEVEL: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
    BEHALF_WORKLOAD_KEY: z.string(),
    GATEWAY_INTERNAL_URL: z.url({ protocol: /^https?$/ }),
    MODEL_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
    MODEL_API_KEY: z.string().optional(),
    MODEL_NAME: z.string().optional(),
    MODEL_INSTRUCTIONS: z.string().max(8000).default(''),
    RUN_CONCURRENCY: z.coerce.number().int().min(1).max(200).default(20),
    NODE_ENV: z.string().optional(),
    KEYWORD_ROUTER_IN_PRODUCTION: z.literal('allow').optional(),
  })
  .superRefine((env, context) => {
    const fault = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message })
    if (env.MODEL_BASE_URL !== undefined && env.MODEL_NAME === undefined)
      fault('MODEL_NAME', 'Name the model that MODEL_BASE_URL serves.')
    for (const name of ['MODEL_NAME', 'MODEL_API_KEY'] as const) {
      if (env[name] !== undefined && env.MODEL_BASE_URL === undefined)
        fault('MODEL_BASE_URL', `Say which server ${name} is for.`)
    }
    if (
      env.MODEL_BASE_URL === undefined &&
      env.NODE_ENV === 'production' &&
      env.KEYWORD_ROUTER_IN_PRODUCTION === undefined
    ) {
      fault(
        'MODEL_BASE_URL',
        'Configure a model, or set KEYWORD_ROUTER_IN_PRODUCTION=allow: keyword-router is not a language model.',
      )
    }
  })

export type Config = ReturnType<typeof readConfig>

/**
 * Reads the configuration of this process; a variable that is set to nothing counts as not set.
 *
 * @throws ZodError that names every fault at once, and no value.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env) {
  const given = environment.parse(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')))
  return Object.freeze({
    port: given.ORCHESTRATOR_PORT,
    host: given.BIND_HOST,
    databaseUrl: given.DATABASE_URL,
    contextKeys: given.BEHALF_CONTEXT_KEYS,
    trustDomain: given.BEHALF_TRUST_DOMAIN,
    logLevel: given.LOG_LEVEL,
    workloadKey: given.BEHALF_WORKLOAD_KEY,
    gatewayInternalUrl: given.GATEWAY_INTERNAL_URL,
    /** Null for keyword-router. */
    model:
      given.MODEL_BASE_URL === undefined
        ? null
        : Object.freeze({
            baseUrl: given.MODEL_BASE_URL,
            model: given.MODEL_NAME ?? '',
            ...(given.MODEL_API_KEY === undefined ? {} : { apiKey: given.MODEL_API_KEY }),
          }),
    instructions: given.MODEL_INSTRUCTIONS,
    runConcurrency: given.RUN_CONCURRENCY,
  })
}
