import type { ScopeSets } from './directives.ts'

/** What a client can do about a refusal, beside its code; public, in `extensions` of a GraphQL error. */
export interface ErrorDetails {
  /** Scopes with which it would pass: all of any one of these sets. */
  readonly requiredScopes?: ScopeSets
  /** How strongly the user would have to sign in (RFC 9470). */
  readonly acrValues?: readonly string[]
  /** Seconds within which the user would have to have signed in (RFC 9470). */
  readonly maxAge?: number
  /** Seconds to wait before trying again (RFC 9110 10.2.3). */
  readonly retryAfter?: number
}

/**
 * Of whatever came with an error, what has the form of a detail: an allowlist of names and shapes, because errors come
 * from other processes, too. What does not fit is left out.
 */
export function readErrorDetails(given: unknown): ErrorDetails {
  if (typeof given !== 'object' || given === null) return {}
  const { requiredScopes, acrValues, maxAge, retryAfter } = given as Readonly<Record<string, unknown>>
  return {
    ...(isList(requiredScopes, isTokens) && { requiredScopes: requiredScopes.map((set) => [...set]) }),
    ...(isTokens(acrValues) && { acrValues: [...acrValues] }),
    ...(isSeconds(maxAge) && { maxAge }),
    ...(isSeconds(retryAfter) && { retryAfter }),
  }
}

const longestList = 20
/** `scope-token` of RFC 6749 3.3. Values of `acr` become part of a challenge, and are held to the same. */
const token = /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/

function isList<T>(value: unknown, isItem: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.length > 0 && value.length <= longestList && value.every(isItem)
}
const isTokens = (value: unknown): value is readonly string[] => isList(value, isToken)
const isToken = (value: unknown): value is string => typeof value === 'string' && token.test(value)
const isSeconds = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
