import type { OfferedTool, ToolOutcome } from '@behalf/identity'
import type { ChatErrorCode } from './chat-error.ts'

/** What a model is told, oldest first. The system prompt, if any, comes first. */
export type ModelMessage =
  | { readonly role: 'system'; readonly text: string }
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly MessageCall[] }
  | { readonly role: 'tool'; readonly call: string; readonly name: string; readonly outcome: ToolOutcome }

export interface MessageCall {
  readonly id: string
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** Tokens of one model call; null where the backend did not say. */
export interface ModelUsage {
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly cachedInputTokens: number | null
}

/** What a backend yields: any number of texts and calls, then one `finish`. Nothing in it is to be trusted. */
export type ModelEvent =
  | { readonly type: 'text'; readonly text: string }
  /** `arguments` is JSON text as the model wrote it, valid or not. */
  | { readonly type: 'call'; readonly name: string; readonly arguments: string }
  | { readonly type: 'finish'; readonly reason: FinishReason; readonly usage: ModelUsage | null }

/** `length`: cut off by a token limit, so that the last call may be half a call. */
export type FinishReason = 'done' | 'length' | 'refused'

export interface ModelRequest {
  readonly messages: readonly ModelMessage[]
  readonly tools: readonly OfferedTool[]
  readonly signal: AbortSignal
  /** Makes a context token of who is answered, for a request with this body: for a server that may know. */
  readonly contextFor?: (body: Uint8Array) => Promise<string>
}

export interface ModelBackend {
  readonly kind: 'LANGUAGE_MODEL' | 'KEYWORD_ROUTER'
  /** As users see it, such as the model's name. */
  readonly name: string
  /** @throws {ModelError} when the model cannot be used; the signal's reason when it is aborted; what `contextFor` throws. */
  generate(request: ModelRequest): AsyncIterable<ModelEvent>
}

/** Why a model gave no usable answer, in the terms of chat. */
export class ModelError extends Error {
  override readonly name = 'ModelError'
  readonly code: Extract<ChatErrorCode, `MODEL_${string}` | 'CONTEXT_TOO_LONG'>
  readonly retryAfterMs: number | null

  /** `cause` is for the log only: a server's words may hold anything. */
  constructor(code: ModelError['code'], options?: { cause?: unknown; retryAfterMs?: number | null }) {
    super(code, options)
    this.code = code
    this.retryAfterMs = options?.retryAfterMs ?? null
  }
}
