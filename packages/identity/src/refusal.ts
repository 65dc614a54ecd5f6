import { AppError } from './app-error.ts'
import type { ErrorDetails } from './error-details.ts'
import { type ErrorCode, errorTable } from './error-table.ts'
import type { FieldRule } from './graph.ts'
import { anonymousSubject, type Caller } from './principal.ts'
import { describeMissingScopes, holdsOneOf, requiresScopesText } from './scope-sets.ts'

export type RefusalCode = Extract<
  ErrorCode,
  | 'UNAUTHENTICATED'
  | 'UNAUTHORIZED_FIELD_OR_TYPE'
  | 'STEP_UP_REQUIRED'
  | 'AGENT_DENIED'
  | 'APPROVAL_REQUIRED'
  | 'BAD_USER_INPUT'
>

/** That a caller may not, and why: the same in the gateway, before anything is planned, and in a subgraph. */
export interface Refusal {
  readonly code: RefusalCode
  /** For the caller. */
  readonly message: string
  /** What would help. */
  readonly details: ErrorDetails
  /** What decided, as a schema has it: `@requiresScopes(scopes: [["orders:read"]])`. */
  readonly rule: string
  /** For the log: only where a decision failed. */
  readonly cause?: Error | undefined
}

export function createRefusal(
  code: RefusalCode,
  rule: string,
  {
    message = errorTable[code].message,
    details = {},
    cause,
  }: Partial<Pick<Refusal, 'message' | 'details' | 'cause'>> = {},
): Refusal {
  return { code, message, details, rule, cause }
}

/** A refusal as it is thrown: the caller is told what {@link AppError} has, and the audit trail the rest. */
export class RefusalError extends AppError {
  /** What decided, as a schema has it. */
  readonly rule: string
  /** What asks for it, such as `Query.order`, or `Order` where a type does. */
  readonly coordinate: string

  constructor({ code, message, details, rule, cause }: Refusal, coordinate: string) {
    super(code, message, { details, cause })
    this.rule = rule
    this.coordinate = coordinate
  }
}

/**
 * Decides what depends on the caller alone: `@authenticated`, `@requiresScopes` and `@agent`.
 *
 * @param isApproved - whether the user approved exactly this, where the rule asks agents for that.
 * @returns null where the caller may pass; the first thing that is missing otherwise.
 */
export function refusalOf(
  { authenticated, scopes, agent }: Pick<FieldRule, 'authenticated' | 'scopes' | 'agent'>,
  caller: Caller,
  isApproved = false,
): Refusal | null {
  const needsScopes = scopes.length > 0
  if ((authenticated || needsScopes) && caller.subject === anonymousSubject) {
    const rule = needsScopes ? requiresScopesText(scopes) : '@authenticated'
    return createRefusal('UNAUTHENTICATED', rule)
  }
  if (needsScopes && !holdsOneOf(caller, scopes)) {
    return createRefusal('UNAUTHORIZED_FIELD_OR_TYPE', requiresScopesText(scopes), {
      message: describeMissingScopes(scopes),
      details: { requiredScopes: scopes },
    })
  }
  if (caller.actor === null || agent === 'ALLOW') return null
  if (agent === 'DENY') return createRefusal('AGENT_DENIED', '@agent(access: DENY)')
  return isApproved ? null : createRefusal('APPROVAL_REQUIRED', '@agent(access: APPROVE)')
}
