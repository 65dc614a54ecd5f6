import { AppError, type ErrorCode } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import { describeCause } from '../describe-cause.ts'

/** How an error is written to the client, and with which headers. */
export type WriteError = (
  error: AppError,
  txn: string,
) => { readonly body: unknown; readonly headers?: Record<string, string> }

/** Says in the log what was refused and why, and what of it the client is told: an error of the table, and nothing else. */
export function noteRefusal(error: unknown, log: FastifyBaseLogger): AppError {
  const known = error instanceof AppError ? error : toAppError(error)
  const fields = { code: known.code, reason: describeCause(known.cause) }
  if (known.code === 'INTERNAL')
    log.error({ ...fields, err: known.cause instanceof Error ? known.cause : known }, 'request failed')
  else log[known.status >= 500 ? 'warn' : 'info'](fields, 'request refused')
  return known
}

const codes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BAD_REQUEST',
  FST_ERR_BAD_URL: 'BAD_REQUEST',
  // Of node: the connection ended before the body did.
  ECONNRESET: 'BAD_REQUEST',
}

/** Of the errors of others only the code is kept: messages of Fastify's quote URLs. */
function toAppError(error: unknown): AppError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const known = codes[code]
  return known === undefined
    ? new AppError('INTERNAL', undefined, { cause: error })
    : new AppError(known, undefined, { cause: code })
}
