import { HeaderMap } from '@apollo/server'
import { AppError, type ErrorDetails } from '@behalf/identity'
import type { ExecutionResult } from 'graphql'
import { type Denial, denialError } from './denial.ts'

/**
 * What becomes of an operation of which something is denied: `filter` answers the rest; `reject` executes nothing;
 * `dry-run` executes all of it and says what would have been denied. Subgraphs enforce their rules in any case.
 */
export type AuthorizationMode = 'filter' | 'reject' | 'dry-run'

/** `WWW-Authenticate` for a refusal that another credential would mend; null for others. */
export type ChallengeOf = (refusal: AppError) => string | null

/** The answer of a request that is refused as a whole, with every reason. */
export function rejection(denials: readonly Denial[], challengeOf: ChallengeOf): ExecutionResult {
  const errors = denials.map((denial) => denialError(denial, denial.path))
  const refusal = asOne(denials)
  const challenge = challengeOf(refusal)
  const [first] = errors
  if (first) {
    const headers = new HeaderMap(challenge === null ? [] : [['www-authenticate', challenge]])
    // Apollo Server takes the head of the answer from there.
    first.extensions['http'] = { status: refusal.status, headers }
  }
  return { errors }
}

/** What a dry run says of what it would have denied. */
export const reportOf = (denials: readonly Denial[]) => ({
  mode: 'dry-run' satisfies AuthorizationMode,
  denied: denials.map(({ path, coordinate, code, rule }) => ({ path, coordinate, code, rule })),
})

/** Whoever is to sign in, or to do so again, is told so first; then which scopes all of it needs together. */
function asOne(denials: readonly Denial[]): AppError {
  const [first] = ['UNAUTHENTICATED', 'STEP_UP_REQUIRED'].flatMap((code) =>
    denials.filter((denial) => denial.code === code),
  )
  if (first) return new AppError(first.code, first.message, { details: first.details })
  const scopes = denials.flatMap(({ details: { requiredScopes = [] } }) => shortest(requiredScopes))
  const details: ErrorDetails = scopes.length > 0 ? { requiredScopes: [[...new Set(scopes)]] } : {}
  return new AppError('UNAUTHORIZED_FIELD_OR_TYPE', undefined, { details })
}

const shortest = (sets: NonNullable<ErrorDetails['requiredScopes']>) =>
  sets.toSorted((a, b) => a.length - b.length)[0] ?? []
