import { AppError } from '@behalf/identity'

/** @throws {AppError} `BAD_REQUEST`, without repeating what was sent. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new AppError('BAD_REQUEST', 'The body is not JSON.', { cause })
  }
}
