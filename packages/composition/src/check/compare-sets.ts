import type { ScopeSets } from '@behalf/identity'

/**
 * How two requirements differ, each a list of alternatives, of which none at all is asked for where there is none.
 *
 * @returns null where both let the same callers pass; otherwise whether the second lets pass whom the first did not
 */
export function compareSets(before: ScopeSets, after: ScopeSets): { readonly admitsMore: boolean } | null {
  const admitsMore = !implies(after, before)
  return admitsMore || !implies(before, after) ? { admitsMore } : null
}

/** As {@link compareSets}, of exceptions: where there is no alternative, nobody is one. */
export function compareExceptions(before: ScopeSets, after: ScopeSets): { readonly admitsMore: boolean } | null {
  if (before.length === 0 || after.length === 0)
    return before.length === after.length ? null : { admitsMore: before.length === 0 }
  return compareSets(before, after)
}

/** Whether everybody who satisfies `sets` satisfies `others`. */
function implies(sets: ScopeSets, others: ScopeSets): boolean {
  if (others.length === 0) return true
  return sets.length > 0 && sets.every((set) => others.some((other) => other.every((name) => set.includes(name))))
}

/** `scopes a + b or c`; `no scopes`. */
export function setsInWords(what: string, sets: ScopeSets): string {
  return sets.length === 0 ? `no ${what}` : `${what} ${sets.map((set) => set.join(' + ')).join(' or ')}`
}
