import type { AppError, ErrorCode } from '@behalf/identity'

/** RFC 6750 3.1 and, for step-up, RFC 9470 3. Codes of which no other credential would mend anything are not here. */
const errorOf: Partial<Record<ErrorCode, string>> = {
  CREDENTIAL_INVALID: 'invalid_token',
  SESSION_ENDED: 'invalid_token',
  // The status stays 401, where RFC 6750 3.1 would have 400: who sent another scheme is told by it what to send.
  CREDENTIAL_UNSUPPORTED: 'invalid_request',
  UNAUTHORIZED_FIELD_OR_TYPE: 'insufficient_scope',
  STEP_UP_REQUIRED: 'insufficient_user_authentication',
}

/**
 * `WWW-Authenticate` for a refusal that another credential would mend; null for every other.
 *
 * @param resourceMetadata - URL of the resource's metadata (RFC 9728 5.1)
 */
export function challengeOf({ code, message, details }: AppError, resourceMetadata?: string): string | null {
  const { requiredScopes, acrValues, maxAge } = details
  // RFC 6750 3.1: to whoever showed nothing, nothing is said of an error.
  const error = errorOf[code]
  if (error === undefined && code !== 'UNAUTHENTICATED') return null
  // Refused by a policy, not for want of a scope.
  if (code === 'UNAUTHORIZED_FIELD_OR_TYPE' && requiredScopes === undefined) return null
  const parameters = {
    error,
    error_description: error === undefined ? undefined : describable(message),
    scope: shortest(requiredScopes)?.join(' '),
    acr_values: acrValues?.join(' '),
    max_age: maxAge?.toString(),
    resource_metadata: resourceMetadata,
  }
  const written = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${quoted(value)}`],
  )
  return ['Bearer', written.join(', ')].join(' ').trim()
}

/** Of several ways to pass, the one that asks for least. */
const shortest = (sets: AppError['details']['requiredScopes']) => sets?.toSorted((a, b) => a.length - b.length)[0]

/** RFC 6750 3: neither quotes nor backslashes are in a description. */
const describable = (message: string) => message.replaceAll('"', "'").replaceAll('\\', '/')

/** RFC 9110 5.6.4. What cannot be in a header is shown as a question mark. */
const quoted = (value: string) =>
  `"${value.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/["\\]/g, (character) => `\\${character}`)}"`
