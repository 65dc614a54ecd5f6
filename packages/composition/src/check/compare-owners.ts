import type { Graph, Ownership } from '@behalf/identity'
import { compareExceptions, setsInWords } from './compare-sets.ts'
import type { Tell } from './change.ts'

const strictness = { public: 0, owned: 1, owner: 2 } as const

/** Whose the objects of each type are, in each subgraph: it withholds what is not the caller's by what it says itself. */
export function compareOwners(before: Graph, after: Graph, tell: Tell): void {
  for (const [type, bySubgraph] of Object.entries(before.owners)) {
    for (const [subgraph, old] of Object.entries(bySubgraph)) {
      const current = after.owners[type]?.[subgraph]
      if (current) compareOwnership(type, subgraph, old, current, tell)
    }
  }
}

function compareOwnership(type: string, subgraph: string, old: Ownership, current: Ownership, tell: Tell): void {
  const message = `${type} is ${describe(current)} in ${subgraph}, and was ${describe(old)}.`
  const stricter = strictness[current.kind] - strictness[old.kind]
  if (stricter !== 0) return tell(stricter < 0 ? 'LOOSENED' : 'BREAKING', 'OWNER', type, message)
  if (old.kind === 'owned' && current.kind === 'owned' && old.through !== current.through)
    return tell('NOTED', 'OWNER', type, message)
  if (old.kind !== 'owner' || current.kind !== 'owner') return undefined
  const exceptions = compareExceptions(old.unless, current.unless)
  // Another claim: others than before are shown it.
  if (old.claim !== current.claim || exceptions?.admitsMore) tell('LOOSENED', 'OWNER', type, message)
  else if (exceptions) tell('BREAKING', 'OWNER', type, message)
  // Which field it is, only the subgraph can judge.
  else if (old.field !== current.field) tell('LOOSENED', 'OWNER', type, message)
}

function describe(ownership: Ownership): string {
  if (ownership.kind === 'public') return '@public'
  if (ownership.kind === 'owned') return `@owned(through: "${ownership.through}")`
  const { field, claim, unless } = ownership
  const more = [
    ...(claim === 'sub' ? [] : [`claim ${claim}`]),
    ...(unless.length === 0 ? [] : [`unless ${setsInWords('scopes', unless)}`]),
  ]
  return `@owner(field: "${field}")${more.length === 0 ? '' : ` (${more.join(', ')})`}`
}
