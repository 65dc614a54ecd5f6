import { setTimeout as wait } from 'node:timers/promises'
import {
  agentApiPaths,
  agentApiTypes,
  AppError,
  createWorkloadSigner,
  errorTable,
  workloadTokenHeader,
  type ErrorCode,
  type OfferedTool,
  type ResolvedApproval,
  type ToolCall,
  type ToolOutcome,
} from '@behalf/identity'
import { Pool } from 'undici'
import { z } from 'zod'
import { readBounded } from './read-bounded.ts'

/** A call in a run, on behalf of whoever made the delegation. */
export interface DelegatedCall extends ToolCall {
  /** Handle of the delegation. */
  readonly delegation: string
  readonly run: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** The gateway's internal API. Every method throws {@link AppError}; `UNAVAILABLE` when the gateway cannot be reached. */
export interface AgentApi {
  /** Trades the ticket of a context token for a delegation (RFC 8693). Works once per ticket, so it is never retried. */
  redeem(ticket: string, signal?: AbortSignal): Promise<{ readonly handle: string; readonly delegation: string }>
  /** @throws {AppError} `DELEGATION_REFUSED` when the delegation has ended. */
  tools(
    request: { readonly delegation: string; readonly run: string },
    signal?: AbortSignal,
  ): Promise<readonly OfferedTool[]>
  /** @throws {AppError} `DELEGATION_REFUSED` when the delegation has ended. */
  call(request: DelegatedCall, signal?: AbortSignal): Promise<ToolOutcome>
  /**
   * Waits for up to 25 s and gives nothing; ask again.
   *
   * @throws {AppError} `SESSION_ENDED` at once when the delegation, its session or user is ended; `DELEGATION_REFUSED`
   */
  watch(request: { readonly delegation: string; readonly run: string }, signal?: AbortSignal): Promise<void>
  /**
   * A context token for a request to the model server (`to: "model"`), of which `sha256` is the SHA-256 of the body,
   * base64url.
   *
   * @throws {AppError} `DELEGATION_REFUSED` when the delegation has ended; `NOT_FOUND` where the gateway makes none.
   */
  modelContext(
    request: { readonly delegation: string; readonly run: string; readonly sha256: string },
    signal?: AbortSignal,
  ): Promise<string>
  /**
   * What users decided of approvals, and what of them ended with its delegation, after the sequence number `after`.
   * Waits for up to 25 s where there is nothing, then is empty: ask again.
   */
  resolvedApprovals(after: number, signal?: AbortSignal): Promise<readonly ResolvedApproval[]>
}

export interface AgentApiOptions {
  /** Of the gateway's internal port, such as `http://127.0.0.1:4001`. */
  readonly baseUrl: string
  /** Name of this workload. */
  readonly name: string
  /** Value of `BEHALF_WORKLOAD_KEY`. */
  readonly key: string
  readonly trustDomain: string
  /** For one request; 30 s by default. */
  readonly timeoutMs?: number
  /** Waits before the second and later attempts; how many there are bounds the attempts. */
  readonly retryDelaysMs?: readonly number[]
}

const maxResponseBytes = 1_048_576
/** Of errors that pass by themselves: the gateway, or its database, is being started again. Nothing was done. */
const passing: ReadonlySet<string> = new Set<ErrorCode>(['UNAVAILABLE', 'REVOCATIONS_UNKNOWN'])
/** Together as long as a restart takes, and less than a run may. */
const defaultRetryDelaysMs = [100, 400, 1500, 3000, 5000]

const tokenAnswer = z.object({ access_token: z.string().min(1), delegation: z.string().min(1) })
const offeredTool = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  inputSchema: z.record(z.string(), z.unknown()),
  readOnly: z.boolean(),
  requiresApproval: z.boolean(),
  examples: z.array(z.string()),
})
const toolsAnswer = z.object({ tools: z.array(offeredTool) })
const callAnswer = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), result: z.unknown(), truncated: z.boolean() }),
  z.object({
    ok: z.literal(false),
    error: z.object({ code: z.string(), message: z.string() }),
    approval: z
      .object({ id: z.string(), summary: z.string(), argumentsHash: z.string(), expiresAt: z.string() })
      .optional(),
  }),
])
const watchAnswer = z.object({ inForce: z.literal(true) })
const contextAnswer = z.object({ token: z.string().min(1) })
const resolvedAnswer = z.object({
  resolutions: z.array(
    z.object({
      sequence: z.int(),
      approval: z.string(),
      run: z.string(),
      call: z.string(),
      state: z.enum(['APPROVED', 'REJECTED', 'USED', 'EXPIRED']),
    }),
  ),
})
const errorAnswer = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

/** A client that proves itself with a workload token, made anew for every attempt. */
export function createAgentApi(options: AgentApiOptions): AgentApi {
  const { baseUrl, timeoutMs = 30_000, retryDelaysMs = defaultRetryDelaysMs } = options
  const signer = createWorkloadSigner({ name: options.name, key: options.key, trustDomain: options.trustDomain })

  // It holds no process that has nothing else to do.
  const pool = new Pool(new URL(baseUrl).origin)

  // By undici's pool and not by `fetch`, whose streams cost more than the rest of a request. It follows no redirects.
  const post = async (path: string, type: string, text: string, signal: AbortSignal | undefined): Promise<unknown> => {
    signal?.throwIfAborted()
    const body = Buffer.from(text)
    const over = new AbortController()
    const stop = () => over.abort(signal?.reason)
    const late = setTimeout(() => over.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const { statusCode, body: answer } = await pool.request({
        method: 'POST',
        path,
        headers: {
          'content-type': type,
          accept: 'application/json',
          [workloadTokenHeader]: signer.sign({ method: 'POST', path, body }),
        },
        body,
        signal: over.signal,
      })
      const bytes = await readBounded(answer, maxResponseBytes)
      if (statusCode !== 200) throw refusal(statusCode, bytes)
      return parseJson(bytes)
    } finally {
      clearTimeout(late)
      signal?.removeEventListener('abort', stop)
    }
  }

  /** Only for what may be repeated: reading, and calls, whose id makes their effect happen once. */
  const postJson = async (path: string, request: unknown, signal: AbortSignal | undefined): Promise<unknown> => {
    const text = JSON.stringify(request)
    for (let attempt = 0; ; attempt++) {
      try {
        return await post(path, 'application/json', text, signal)
      } catch (cause) {
        const delay = retryDelaysMs[attempt]
        if (cause instanceof AppError && !passing.has(cause.code)) throw cause
        signal?.throwIfAborted()
        if (delay === undefined) throw unreachable(cause)
        await pause(delay, signal)
      }
    }
  }

  return {
    async redeem(ticket, signal) {
      const form = new URLSearchParams({
        grant_type: agentApiTypes.tokenExchange,
        subject_token: ticket,
        subject_token_type: agentApiTypes.ticket,
      })
      const answer = await post(
        agentApiPaths.token,
        'application/x-www-form-urlencoded',
        form.toString(),
        signal,
      ).catch((cause: unknown) => {
        throw cause instanceof AppError ? cause : unreachable(cause)
      })
      const { access_token: handle, delegation } = shaped(tokenAnswer, answer)
      return { handle, delegation }
    },
    async tools(request, signal) {
      return shaped(toolsAnswer, await postJson(agentApiPaths.listTools, request, signal)).tools
    },
    async call(request, signal) {
      const answer = await postJson(agentApiPaths.callTool, request, signal).catch(limitedOutcome)
      const outcome = shaped(callAnswer, answer)
      if (outcome.ok) return { ok: true, result: outcome.result ?? null, truncated: outcome.truncated }
      const { error, approval } = outcome
      return { ok: false, error, ...(approval && { approval }) }
    },
    async watch(request, signal) {
      shaped(watchAnswer, await postJson(agentApiPaths.watchDelegation, request, signal))
    },
    async modelContext(request, signal) {
      return shaped(contextAnswer, await postJson(agentApiPaths.modelContext, request, signal)).token
    },
    async resolvedApprovals(after, signal) {
      return shaped(resolvedAnswer, await postJson(agentApiPaths.resolvedApprovals, { after }, signal)).resolutions
    },
  }
}

/** A call that is too many ends itself, and not the run it is part of. */
function limitedOutcome(error: unknown): ToolOutcome {
  if (!(error instanceof AppError) || error.code !== 'RATE_LIMITED') throw error
  return { ok: false, error: { code: error.code, message: errorTable.RATE_LIMITED.model } }
}

function refusal(status: number, bytes: Uint8Array): AppError {
  const answer = errorAnswer.safeParse(parseJson(bytes, true))
  const code = answer.success ? answer.data.error.code : ''
  if (Object.hasOwn(errorTable, code)) return new AppError(code as ErrorCode)
  return new AppError(status >= 500 ? 'UNAVAILABLE' : 'INTERNAL', undefined, {
    cause: `the gateway answered ${status}`,
  })
}

function parseJson(bytes: Uint8Array, lenient = false): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    if (lenient) return null
    throw new AppError('INTERNAL', undefined, { cause })
  }
}

function shaped<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer)
  if (!parsed.success) throw new AppError('INTERNAL', undefined, { cause: parsed.error })
  return parsed.data
}

const unreachable = (cause: unknown) =>
  cause instanceof AppError ? cause : new AppError('UNAVAILABLE', undefined, { cause })

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return wait(ms, undefined, signal ? { signal } : {})
}
