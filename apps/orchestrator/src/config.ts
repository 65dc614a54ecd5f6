import { defaultBounds } from '@behalf/orchestration'
import { readSubgraphConfig, type Environment } from '@behalf/subgraph/config'
import { z } from 'zod'
import { defaultBudgets } from './budgets.ts'

const atLeastOne = (value: number) => z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).default(value)

/** Beside those of every subgraph. */
const variables = z
  .object({
    BEHALF_WORKLOAD_KEY: z.string(),
    GATEWAY_INTERNAL_URL: z.url({ protocol: /^https?$/ }),
    MODEL_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
    MODEL_API_KEY: z.string().optional(),
    MODEL_NAME: z.string().optional(),
    MODEL_INSTRUCTIONS: z.string().max(8000).default(''),
    RUN_CONCURRENCY: z.coerce.number().int().min(1).max(200).default(20),
    RUN_STEPS: atLeastOne(defaultBounds.steps),
    RUN_CALLS_PER_STEP: atLeastOne(defaultBounds.callsPerStep),
    RUN_TOKENS: atLeastOne(defaultBounds.tokens),
    RUN_SECONDS: atLeastOne(defaultBounds.wallTimeMs / 1000),
    USER_RUNS: atLeastOne(defaultBudgets.userRuns),
    USER_TOKENS_PER_DAY: atLeastOne(defaultBudgets.userTokens),
    TENANT_TOKENS_PER_DAY: atLeastOne(defaultBudgets.tenantTokens),
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

/** Reads the environment of this process. @throws {ConfigurationError} that names every fault at once, and no value */
export function readConfig(env: Environment = process.env) {
  const { own, ...common } = readSubgraphConfig({ name: 'orchestrator', port: 4104, variables }, env)
  return Object.freeze({
    ...common,
    workloadKey: own.BEHALF_WORKLOAD_KEY,
    gatewayInternalUrl: own.GATEWAY_INTERNAL_URL,
    /** Null for keyword-router. */
    model:
      own.MODEL_BASE_URL === undefined
        ? null
        : Object.freeze({
            baseUrl: own.MODEL_BASE_URL,
            model: own.MODEL_NAME ?? '',
            ...(own.MODEL_API_KEY === undefined ? {} : { apiKey: own.MODEL_API_KEY }),
          }),
    instructions: own.MODEL_INSTRUCTIONS,
    runConcurrency: own.RUN_CONCURRENCY,
    /** Of one run. */
    bounds: Object.freeze({
      steps: own.RUN_STEPS,
      callsPerStep: own.RUN_CALLS_PER_STEP,
      tokens: own.RUN_TOKENS,
      wallTimeMs: own.RUN_SECONDS * 1000,
    }),
    budgets: Object.freeze({
      userRuns: own.USER_RUNS,
      userTokens: own.USER_TOKENS_PER_DAY,
      tenantTokens: own.TENANT_TOKENS_PER_DAY,
    }),
  })
}
