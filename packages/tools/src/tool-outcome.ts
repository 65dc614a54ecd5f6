import { AppError, type ErrorDetails, errorTable, type ErrorCode, type ToolOutcome } from '@behalf/identity'

/** The outcome of a call that failed with `code`; `reason` is for errors of the call itself. */
export function failure(code: ErrorCode, reason?: string, details: ErrorDetails = {}): ToolOutcome {
  const text = errorTable[code].model ?? errorTable.TOOL_FAILED.model
  const message = reason ? `${text.replace(/\.$/, '')}: ${reason}.` : text
  return { ok: false, error: { code, message, ...(Object.keys(details).length > 0 && { details }) } }
}

/** The code of whatever was thrown; everything that is not meant to be seen is `INTERNAL`. */
export function codeOfThrown(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'INTERNAL'
}
