import { AppError, errorTable, type ErrorCode } from '@behalf/identity'

/** What a call comes to. Messages are written for a model; nothing of an exception is in them. */
export type ToolOutcome =
  | { readonly ok: true; readonly result: unknown; readonly truncated: boolean }
  | { readonly ok: false; readonly error: { readonly code: ErrorCode; readonly message: string } }

/** The outcome of a call that failed with `code`; `detail` is for errors of the call itself. */
export function failure(code: ErrorCode, detail?: string): ToolOutcome {
  const message = errorTable[code].model ?? errorTable.TOOL_FAILED.model
  return { ok: false, error: { code, message: detail ? `${message.replace(/\.$/, '')}: ${detail}.` : message } }
}

/** The code of whatever was thrown; everything that is not meant to be seen is `INTERNAL`. */
export function codeOfThrown(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'INTERNAL'
}

/** The code of an error of an answer; codes that are not ours are `TOOL_FAILED`. */
export function codeOfAnswer(error: unknown): ErrorCode {
  const code = property(error, 'code') ?? property(property(error, 'extensions'), 'code')
  return typeof code === 'string' && Object.hasOwn(errorTable, code) ? (code as ErrorCode) : 'TOOL_FAILED'
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
}
