import type { ErrorDetails } from './app-error.ts'
import type { Caller } from './principal.ts'

/** What a policy decides about: one field of one request. */
export interface PolicyRequest {
  /** Of the gateway's principal, or of what a subgraph was told: there, only the facts and scopes it declared. */
  readonly caller: Caller
  /** Such as `Mutation.transfer`; `Order` for a policy that a type carries. */
  readonly coordinate: string
  /** Of the field, coerced, with their defaults; empty for a type. */
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
