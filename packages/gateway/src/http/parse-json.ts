import { AppError } from '@behalf/identity'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws {AppError} `BAD_REQUEST`, with no cause: a parser's message quotes what was sent, and that may be a secret. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch {
    throw new AppError('BAD_REQUEST', 'The body is not JSON.')
  }
}
