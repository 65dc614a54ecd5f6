import { anonymousSubject, type ErrorCode, type FieldRule, type Principal } from '@behalf/identity'

/** Why a coordinate is withheld. The codes and their order are those with which a subgraph enforces the same rule. */
export type DenialCode = Extract<
  ErrorCode,
  'UNAUTHENTICATED' | 'UNAUTHORIZED_FIELD_OR_TYPE' | 'AGENT_DENIED' | 'APPROVAL_REQUIRED'
>

/** The rule of a coordinate such as `Query.order` or `Order`; null where nothing is asked. */
export type RuleOf = (coordinate: string) => FieldRule | null

/** A Mutation field without a rule of its own is one that agents need approval for. */
const unlistedMutation: FieldRule = {
  authenticated: false,
  scopes: [],
  policies: [],
  agent: 'APPROVE',
  delegates: null,
}

/** Equal rules become one object, so that a set of them is the set of distinct requirements. */
export function readRules(rules: Readonly<Record<string, FieldRule>>): RuleOf {
  const distinct = new Map<string, FieldRule>()
  const byCoordinate = new Map<string, FieldRule | null>()
  for (const [coordinate, rule] of Object.entries(rules)) {
    const { authenticated, scopes, policies, agent } = rule
    const asks = authenticated || scopes.length > 0 || policies.length > 0 || agent !== 'ALLOW'
    const key = JSON.stringify([authenticated, scopes, policies, agent])
    if (asks && !distinct.has(key)) distinct.set(key, rule)
    byCoordinate.set(coordinate, distinct.get(key) ?? null)
  }
  return (coordinate) => {
    const rule = byCoordinate.get(coordinate)
    if (rule !== undefined) return rule
    return coordinate.startsWith('Mutation.') ? unlistedMutation : null
  }
}

/** Decides one rule for one caller. No policy is decided yet, and an undecided policy is false. */
export function denialOf(
  { authenticated, scopes, policies, agent }: FieldRule,
  principal: Principal,
): DenialCode | null {
  if ((authenticated || scopes.length > 0) && principal.subject === anonymousSubject) return 'UNAUTHENTICATED'
  if (scopes.length > 0 && !holdsOneOf(principal, scopes)) return 'UNAUTHORIZED_FIELD_OR_TYPE'
  if (policies.length > 0) return 'UNAUTHORIZED_FIELD_OR_TYPE'
  if (principal.actor === null || agent === 'ALLOW') return null
  return agent === 'DENY' ? 'AGENT_DENIED' : 'APPROVAL_REQUIRED'
}

/** Outer lists are OR, inner lists AND (Federation, `@requiresScopes`); an empty inner list is never held. */
const holdsOneOf = ({ scopes }: Principal, sets: FieldRule['scopes']) =>
  sets.some((set) => set.length > 0 && set.every((scope) => scopes.includes(scope)))
