import { APICallError } from '@ai-sdk/provider'
import { AppError } from '@behalf/identity'
import { ModelError } from './model-backend.ts'

const tooLong =
  /context.{0,20}(length|window|size)|maximum context|too many tokens|prompt is too long|reduce the length|context_length_exceeded/i

/**
 * Says in the terms of chat why a model call failed. Whatever the server said stays in `cause`.
 *
 * @throws {AppError} what is no failure of the model's, but of the gateway's that was asked for a context token.
 */
export function toModelError(cause: unknown): ModelError {
  if (cause instanceof AppError) throw cause
  const inner = reasonIn(cause)
  if (inner) return inner
  if (APICallError.isInstance(cause)) {
    const { statusCode, responseBody, responseHeaders } = cause
    if (statusCode === undefined) return new ModelError('MODEL_UNAVAILABLE', { cause })
    const retryAfterMs = retryAfter(responseHeaders?.['retry-after'])
    if (statusCode === 429) return new ModelError('MODEL_RATE_LIMITED', { cause, retryAfterMs })
    if (statusCode === 408 || statusCode === 504) return new ModelError('MODEL_TIMEOUT', { cause })
    if (statusCode === 413 || (statusCode < 500 && tooLong.test(responseBody ?? '')))
      return new ModelError('CONTEXT_TOO_LONG', { cause })
    return new ModelError('MODEL_UNAVAILABLE', { cause, retryAfterMs })
  }
  // A server that had said 200 before it knew.
  if (codeIn(cause) === 429) return new ModelError('MODEL_RATE_LIMITED', { cause })
  if (tooLong.test(words(cause))) return new ModelError('CONTEXT_TOO_LONG', { cause })
  if (cause instanceof Error && /^AI_(TypeValidation|JSONParse|InvalidResponseData)Error$/.test(cause.name)) {
    return new ModelError('MODEL_BAD_OUTPUT', { cause })
  }
  return new ModelError('MODEL_UNAVAILABLE', { cause })
}

/**
 * How long to wait before another attempt; null when there should be none: the failure would repeat itself,
 * the attempts are used up, or the server asks for a longer wait than `longest`.
 *
 * @param planned - the wait where the server names none; undefined after the last attempt.
 */
export function retryDelay(error: ModelError, planned: number | undefined, longest: number): number | null {
  if (planned === undefined || !mayPass(error)) return null
  const wait = error.retryAfterMs ?? planned
  // Up to a quarter more, so that many runs that failed together do not come back together.
  return wait > longest ? null : wait * (1 + Math.random() / 4)
}

function mayPass(error: ModelError): boolean {
  if (error.code === 'MODEL_RATE_LIMITED') return true
  if (error.code !== 'MODEL_UNAVAILABLE') return false
  const status = APICallError.isInstance(error.cause) ? error.cause.statusCode : undefined
  return status === undefined || status >= 500
}

const day = 86_400_000

/** RFC 9110 10.2.3: seconds or a date; a day at most, whatever a server asks for. */
function retryAfter(value: string | undefined): number | null {
  if (value === undefined) return null
  const ms = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), day) : null
}

/** `{"error":{"code":429}}` in place of an answer. */
function codeIn(cause: unknown): unknown {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
}

/** An error of ours may come back wrapped by the adapter. */
function reasonIn(cause: unknown): ModelError | null {
  for (let error = cause, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    if (error instanceof ModelError) return error
  }
  return null
}

function words(cause: unknown): string {
  if (cause instanceof Error) return cause.message
  return typeof cause === 'object' && cause !== null && 'message' in cause ? String(cause.message) : String(cause)
}
