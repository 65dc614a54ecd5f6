import type { ScopeSets } from '@behalf/identity'
import { compare } from './problem.ts'

/** What both ask for together, in disjunctive normal form: sorted, without repeats and without alternatives that another makes needless. */
export function conjoin(a: ScopeSets, b: ScopeSets): ScopeSets {
  if (a.length === 0) return minimal(b)
  if (b.length === 0) return minimal(a)
  return minimal(a.flatMap((left) => b.map((right) => [...left, ...right])))
}

/** Every name that occurs, sorted. */
export function namesIn(...sets: readonly ScopeSets[]): string[] {
  return [...new Set(sets.flat(2))].toSorted()
}

function minimal(sets: ScopeSets): string[][] {
  const alternatives = [...new Map(sets.map((set) => [namesIn([set]).join('\n'), namesIn([set])])).values()]
  return alternatives
    .filter(
      (set) => !alternatives.some((other) => other.length < set.length && other.every((name) => set.includes(name))),
    )
    .toSorted((x, y) => x.length - y.length || compare(x.join('\n'), y.join('\n')))
}
