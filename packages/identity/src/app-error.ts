import type { ErrorDetails } from './error-details.ts'
import { errorTable, type ErrorCode } from './error-table.ts'

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
