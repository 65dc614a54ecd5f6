import { anonymousSubject, type Principal, type ToolDefinition } from '@behalf/identity'

/**
 * Whether a caller has a tool, and with which of their scopes it runs: the first of the tool's alternatives that
 * they hold, and nothing besides. Null: to this caller the tool does not exist. The one predicate behind both
 * listing and calling. Policies are no part of it: they depend on arguments and on the moment, and are decided when the
 * tool's operation is authorized, so that a call they deny ends with a code.
 */
export function grantedScopes(tool: ToolDefinition, principal: Principal): readonly string[] | null {
  return alternativeOf(tool, principal, (scope) => principal.scopes.includes(scope))
}

/** Whether a caller who lacks a scope can ask for it. */
export type CanGain = (scope: string) => boolean

/**
 * What a caller who does not have a tool would have to be granted to have it: all scopes of the alternative of which they
 * lack least. Null where scopes are not all they lack, or they may not ask for them.
 */
export function gainableScopes(tool: ToolDefinition, principal: Principal, canGain: CanGain): readonly string[] | null {
  const lacks = (alternative: readonly string[]) =>
    alternative.filter((scope) => !principal.scopes.includes(scope)).length
  const scopes = tool.scopes.toSorted((a, b) => lacks(a) - lacks(b))
  return alternativeOf({ ...tool, scopes }, principal, (scope) => principal.scopes.includes(scope) || canGain(scope))
}

function alternativeOf(
  tool: ToolDefinition,
  principal: Principal,
  has: (scope: string) => boolean,
): readonly string[] | null {
  if (principal.subject === anonymousSubject) return null
  // An approval is asked for under a delegation.
  const canBeApproved = tool.approval === null || principal.actor?.delegation != null
  const bindingsAreKnown = tool.bindings.every(({ claim }) => claim !== 'tenant' || principal.tenant !== null)
  if (!canBeApproved || !bindingsAreKnown) return null
  if (tool.scopes.length === 0) return none
  return tool.scopes.find((alternative) => alternative.every(has)) ?? null
}

const none: readonly string[] = []
