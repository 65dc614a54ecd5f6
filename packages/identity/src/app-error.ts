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

  constructor(code: ErrorCode, message: string = errorTable[code].message, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /** HTTP status where a whole request fails with this error. */
  get status(): number {
    return errorTable[this.code].status
  }
}
