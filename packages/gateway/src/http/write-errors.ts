import { type ErrorDetails, readErrorDetails } from '@behalf/identity'
import { challengeOf } from '../authenticate/challenge.ts'
import type { WriteError } from './refuse.ts'

/** A refused request is answered as GraphQL, and with a challenge where another credential would help (RFC 6750 3). */
export const writeGraphQLError =
  (resourceMetadata: string | undefined): WriteError =>
  (error, txn) => {
    const { message, code, details, status } = error
    const challenge = challengeOf(error, resourceMetadata)
    return {
      body: { errors: [{ message, extensions: { code, ...readErrorDetails(details) } }], extensions: { txn } },
      headers: {
        ...(status === 405 && { allow: 'GET, POST' }),
        ...(challenge !== null && { 'www-authenticate': challenge }),
        ...(status === 503 && { 'retry-after': '1' }),
        ...retryAfter(details),
      },
    }
  }

export const writePlainError: WriteError = ({ message, code, details }) => ({
  body: { error: { code, message } },
  headers: retryAfter(details),
})

/** RFC 9110 10.2.3 */
export const retryAfter = ({ retryAfter: seconds }: ErrorDetails): Record<string, string> =>
  seconds === undefined ? {} : { 'retry-after': String(seconds) }
