import type { Data } from './places.ts'

/** Objects that one request asks about. */
export interface EntityBatch {
  /** JSON, in the order of the request. */
  readonly representations: readonly string[]
  /** By index of their representation: of those with the same, a subgraph is asked once. */
  readonly objects: readonly (readonly Data[])[]
  /** Encoded variables of the plan's own. */
  readonly variables: readonly string[]
  add(representation: string, object: Data): void
}

/** @param merges - whether objects with one representation may share what is answered. */
export function startBatch(variables: readonly string[], merges: boolean): EntityBatch {
  const indexes = new Map<string, Data[]>()
  const representations: string[] = []
  const objects: Data[][] = []
  return {
    representations,
    objects,
    variables,
    add(representation, object) {
      const same = merges ? indexes.get(representation) : undefined
      if (same) return void same.push(object)
      const own = [object]
      indexes.set(representation, own)
      representations.push(representation)
      objects.push(own)
    },
  }
}
