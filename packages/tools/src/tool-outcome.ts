import { AppError, errorTable, type ErrorCode, type ToolOutcome } from '@behalf/identity'

/** The outcome of a call that failed with `code`; `detail` is for errors of the call itself. */
export function failure(code: ErrorCode, detail?: string): ToolOutcome {
  const message = errorTable[code].model ?? errorTable.TOOL_FAILED.model
  return { ok: false, error: { code, message: detail ? `${message.replace(/\.$/, '')}: ${detail}.` : message } }
}

/** The code of whatever was thrown; everything that is not meant to be seen is `INTERNAL`. */
export function codeOfThrown(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'INTERNAL'
}
