import { isUtf8 } from 'node:buffer'
import { AppError } from '@behalf/identity'

/** @throws {AppError} `BAD_REQUEST`, with no cause: a parser's message quotes what was sent, and that may be a secret. */
export function parseJson(bytes: Buffer): unknown {
  const notJson = 'The body is not JSON.'
  // A decoder that refuses what is not UTF-8 takes ten times as long to say so.
  if (!isUtf8(bytes)) throw new AppError('BAD_REQUEST', notJson)
  try {
    // A byte order mark is left in the text, where JSON has no place for it (RFC 8259 8.1).
    return JSON.parse(bytes.toString())
  } catch {
    throw new AppError('BAD_REQUEST', notJson)
  }
}
