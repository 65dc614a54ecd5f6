import type { FieldRule } from '@behalf/identity'

/** What a coordinate asks for. */
export interface Requirement {
  /** What depends on the caller alone; null where nothing is said. Equal ones are one object. */
  readonly rule: FieldRule | null
  /** What is decided for each request anew; empty where nothing is. */
  readonly policies: FieldRule['policies']
}

/** The requirement of a coordinate such as `Query.order` or `Order`. */
export type RequirementOf = (coordinate: string) => Requirement

/** A Mutation field without a rule of its own is one that agents need approval for. */
const unlistedMutation: Requirement = {
  rule: { authenticated: false, scopes: [], policies: [], agent: 'APPROVE', delegates: null, approves: null },
  policies: [],
}
const nothing: Requirement = { rule: null, policies: [] }

/** Equal rules become one object, so that a set of them is the set of distinct requirements. */
export function readRules(rules: Readonly<Record<string, FieldRule>>): RequirementOf {
  const distinct = new Map<string, FieldRule>()
  const byCoordinate = new Map<string, Requirement>()
  for (const [coordinate, rule] of Object.entries(rules)) {
    const { authenticated, scopes, policies, agent } = rule
    const key = JSON.stringify([authenticated, scopes, agent])
    const known = distinct.get(key) ?? rule
    distinct.set(key, known)
    byCoordinate.set(coordinate, { rule: known, policies })
  }
  return (coordinate) =>
    byCoordinate.get(coordinate) ?? (coordinate.startsWith('Mutation.') ? unlistedMutation : nothing)
}
