import { AppError } from '@behalf/identity'

// A byte order mark is left in the text, where JSON has no place for it (RFC 8259 8.1).
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws {AppError} `BAD_REQUEST`, with no cause: a parser's message quotes what was sent, and that may be a secret. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch {
    throw new AppError('BAD_REQUEST', 'The body is not JSON.')
  }
}
