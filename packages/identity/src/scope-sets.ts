import type { ScopeSets } from './directives.ts'
import type { Caller } from './principal.ts'

/** Outer lists are OR, inner lists AND (Federation, `@requiresScopes`); an empty inner list is never held. */
export function holdsOneOf({ scopes }: Pick<Caller, 'scopes'>, sets: ScopeSets): boolean {
  return sets.some((set) => set.length > 0 && set.every((scope) => scopes.includes(scope)))
}

/** What is missing, for people: `Needs the scope a, or the scopes b and c.` */
export function describeMissingScopes(sets: ScopeSets): string {
  const alternatives = sets.map((set) => `the ${set.length === 1 ? 'scope' : 'scopes'} ${set.join(' and ')}`)
  return `Needs ${alternatives.join(', or ')}.`
}

/** Of each alternative the scopes that the caller lacks; none where one of them is held. */
export function missingScopes({ scopes }: Pick<Caller, 'scopes'>, sets: ScopeSets): ScopeSets {
  const missing = sets.map((set) => set.filter((scope) => !scopes.includes(scope)))
  return missing.some((set) => set.length === 0) ? [] : missing
}

/** Alternatives as a schema writes them: `[["a", "b"], ["c"]]`. */
export const setsText = (sets: ScopeSets): string =>
  `[${sets.map((set) => `[${set.map((name) => JSON.stringify(name)).join(', ')}]`).join(', ')}]`

export const requiresScopesText = (sets: ScopeSets): string => `@requiresScopes(scopes: ${setsText(sets)})`
export const policyText = (sets: ScopeSets): string => `@policy(policies: ${setsText(sets)})`
