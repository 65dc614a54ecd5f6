import type { ScopeSets } from './directives.ts'
import { errorTable, type ErrorCode } from './error-table.ts'

/** What a client can do about a refusal, beside its code; public, in `extensions` of a GraphQL error. */
export interface ErrorDetails {
  /** Scopes with which it would pass: all of any one of these sets. */
  readonly requiredScopes?: ScopeSets
  /** How strongly the user would have to sign in (RFC 9470). */
  readonly acrValues?: readonly string[]
  /** Seconds within which the user would have to have signed in (RFC 9470). */
  readonly maxAge?: number
  /** Seconds to wait before trying again (RFC 9110 10.2.3). */
  readonly retryAfter?: number
}

/**
 * An error that is meant to be seen. Everything else is masked as `INTERNAL`.
 *
 * `message` is for the caller: it names no secret, token or other user. Why it happened goes into `cause`,
 * which is only ever logged.
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(
    code: ErrorCode,
    message: string = errorTable[code].message,
    { details = {}, ...options }: { cause?: unknown; details?: ErrorDetails } = {},
  ) {
    super(message, options)
    this.code = code
    this.details = details
  }

  /** HTTP status where a whole request fails with this error. */
  get status(): number {
    return errorTable[this.code].status
  }
}
