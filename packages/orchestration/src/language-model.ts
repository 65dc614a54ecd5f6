import { setTimeout as pause } from 'node:timers/promises'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart, LanguageModelV4Usage } from '@ai-sdk/provider'
import { ModelError, type ModelBackend, type ModelEvent, type ModelRequest, type ModelUsage } from './model-backend.ts'
import { createModelFetch } from './model-fetch.ts'
import { retryDelay, toModelError } from './model-failure.ts'
import { toPrompt, toTools } from './to-prompt.ts'

export interface LanguageModelOptions {
  /** Of an OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`. */
  readonly baseUrl: string
  readonly apiKey?: string
  /** The server's name for the model. */
  readonly model: string
  /** Until the first piece of the answer; 60 s by default. */
  readonly firstTokenMs?: number
  /** Between two pieces of the answer; 30 s by default. */
  readonly idleMs?: number
  readonly maxOutputTokens?: number
  /** Bytes of one answer on the wire; 4 MiB by default. */
  readonly maxResponseBytes?: number
  /** Waits before the second and later attempts, where the server names none. */
  readonly retryDelaysMs?: readonly number[]
  /** A longer `Retry-After` is not waited for; the run ends and says when to try again. 10 s by default. */
  readonly maxRetryAfterMs?: number
  /** Whether the server is told for whom it answers, by a context token with each request. Default: it is not. */
  readonly context?: boolean
  readonly fetch?: typeof globalThis.fetch
}

/**
 * A model behind an OpenAI-compatible server: vLLM, TGI, Ollama, llama.cpp, Hugging Face Inference Providers.
 *
 * Busy (429) and failing (5xx) servers are tried again before the first piece of an answer, never after it.
 */
export function languageModel(options: LanguageModelOptions): ModelBackend {
  const {
    firstTokenMs = 60_000,
    idleMs = 30_000,
    retryDelaysMs = [500, 2000, 5000],
    maxRetryAfterMs = 10_000,
  } = options
  const modelWith = (contextFor?: ModelRequest['contextFor']) =>
    createOpenAICompatible({
      name: 'model',
      baseURL: options.baseUrl,
      ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey }),
      includeUsage: true,
      fetch: createModelFetch({
        fetch: options.fetch ?? globalThis.fetch,
        maxBytes: options.maxResponseBytes ?? 4_194_304,
        contextFor,
      }),
    }).chatModel(options.model)
  const ofNobody = options.context ? null : modelWith()

  return {
    kind: 'LANGUAGE_MODEL',
    name: options.model,
    async *generate(request) {
      for (let attempt = 0; ; attempt++) {
        let started = false
        try {
          for await (const event of once(request)) {
            started = true
            yield event
          }
          return
        } catch (cause) {
          request.signal.throwIfAborted()
          const error = toModelError(cause)
          const delay = started ? null : retryDelay(error, retryDelaysMs[attempt], maxRetryAfterMs)
          if (delay === null) throw error
          await pause(delay, undefined, { signal: request.signal })
        }
      }
    },
  }

  async function* once(request: ModelRequest): AsyncGenerator<ModelEvent> {
    const watch = createWatch(request.signal, firstTokenMs)
    try {
      const call: LanguageModelV4CallOptions = {
        prompt: toPrompt(request.messages),
        ...(request.tools.length === 0 ? {} : { tools: toTools(request.tools), toolChoice: { type: 'auto' } }),
        ...(options.maxOutputTokens === undefined ? {} : { maxOutputTokens: options.maxOutputTokens }),
        abortSignal: watch.signal,
      }
      const { stream } = await (ofNobody ?? modelWith(required(request.contextFor))).doStream(call)
      for await (const part of stream) {
        watch.restart(idleMs)
        const event = toEvent(part)
        if (event) yield event
      }
    } catch (cause) {
      if (watch.expired && !request.signal.aborted) throw new ModelError('MODEL_TIMEOUT', { cause })
      throw cause
    } finally {
      watch.stop()
    }
  }
}

/** A server that is to know whom it answers is not asked for anybody unknown. */
function required<T>(contextFor: T | undefined): T {
  if (contextFor === undefined) throw new TypeError('Nobody says for whom this model answers.')
  return contextFor
}

function toEvent(part: LanguageModelV4StreamPart): ModelEvent | null {
  switch (part.type) {
    case 'text-delta':
      return part.delta === '' ? null : { type: 'text', text: part.delta }
    case 'tool-call':
      return { type: 'call', name: part.toolName, arguments: part.input }
    case 'error':
      throw part.error
    case 'finish': {
      const { unified } = part.finishReason
      const reason = unified === 'length' ? 'length' : unified === 'content-filter' ? 'refused' : 'done'
      return { type: 'finish', reason, usage: toUsage(part.usage) }
    }
    default:
      return null
  }
}

/** What a server claims beyond this is no count of tokens; up to this, those of a run add up within 32 bits. */
const maxTokens = 1_000_000_000

function toUsage({ inputTokens, outputTokens }: LanguageModelV4Usage): ModelUsage | null {
  if (inputTokens.total === undefined && outputTokens.total === undefined) return null
  const tokens = (value: number | undefined) =>
    value === undefined || !Number.isSafeInteger(value) || value < 0 || value > maxTokens ? null : value
  return {
    inputTokens: tokens(inputTokens.total),
    outputTokens: tokens(outputTokens.total),
    cachedInputTokens: tokens(inputTokens.cacheRead),
  }
}

/** A time limit that each sign of life starts anew. */
function createWatch(outer: AbortSignal, ms: number) {
  const controller = new AbortController()
  const expire = () => controller.abort(new DOMException('The model did not answer in time.', 'TimeoutError'))
  let timer = setTimeout(expire, ms)
  return {
    signal: AbortSignal.any([outer, controller.signal]),
    get expired() {
      return controller.signal.aborted
    },
    restart(next: number) {
      clearTimeout(timer)
      timer = setTimeout(expire, next)
    },
    stop() {
      clearTimeout(timer)
    },
  }
}
