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
  /** Made for the second representation: most requests ask for one entity. */
  let known: Map<string, Data[]> | null = null
  const representations: string[] = []
  const objects: Data[][] = []
  return {
    representations,
    objects,
    variables,
    add(representation, object) {
      const own = [object]
      if (merges && representations.length > 0) {
        known ??= new Map([[representations[0] ?? '', objects[0] ?? []]])
        const same = known.get(representation)
        if (same) return void same.push(object)
        known.set(representation, own)
      }
      representations.push(representation)
      objects.push(own)
    },
  }
}
