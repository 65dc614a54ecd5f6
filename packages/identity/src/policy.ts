import type { ErrorDetails } from './error-details.ts'
import type { Caller } from './principal.ts'

/** What a policy decides about: one field of one request. */
export interface PolicyRequest {
  /** Of the gateway's principal, or of what a subgraph was told: there, only the facts and scopes it declared. */
  readonly caller: Caller
  /** Such as `Mutation.transfer`; `Order` for a policy that a type carries. */
  readonly coordinate: string
  /**
   * Of the field, coerced, with their defaults and with what `@subject` fills in; empty for a type. Values of custom
   * scalars are as the client sent them in the gateway, and as the scalar parses them in a subgraph. Frozen.
   */
  readonly arguments: Readonly<Record<string, unknown>>
}

/** How the user has to sign in before they may (RFC 9470): more strongly, more recently, or both. */
export type StepUp = Pick<ErrorDetails, 'acrValues' | 'maxAge'>

/** True lets the caller pass; {@link StepUp} says what would. Whatever else it is, or throws, denies. */
export type PolicyDecision = boolean | StepUp

/** A decision that a schema names (`@policy(policies: [["name"]])`) and configuration makes. */
export type Policy = (request: PolicyRequest) => PolicyDecision | Promise<PolicyDecision>

/** By the names that schemas use. */
export type Policies = Readonly<Record<string, Policy>>

/** @throws {TypeError} that says which policies of a schema are missing, and what to do. */
export function requirePolicies(where: string, names: Iterable<string>, policies: Policies): void {
  const missing = [...new Set(names)].filter((name) => policyOf(policies, name) === null).toSorted()
  if (missing.length === 0) return
  const list = missing.map((name) => `"${name}"`).join(', ')
  throw new TypeError(
    `The schema names the ${missing.length === 1 ? 'policy' : 'policies'} ${list}, which nobody gave. ` +
      `Give ${where} a function for each: policies: { ${missing.join(', ')} }.`,
  )
}

/** Null where nobody gave it: what every object has by itself is no policy. */
export function policyOf(policies: Policies, name: string): Policy | null {
  const policy: unknown = Object.hasOwn(policies, name) ? policies[name] : undefined
  return typeof policy === 'function' ? (policy as Policy) : null
}
