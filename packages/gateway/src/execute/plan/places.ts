import type { Path } from './client-paths.ts'

/** An object in the data of subgraphs, which plans add to. */
export type Data = Record<string, unknown>

/** As plans write it: names of fields, and `@` for each item of a list. */
export type PlanPath = readonly string[]

export const isData = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Objects at a path. What has another shape than the plan expects is passed over; completion says where.
 *
 * @param isShared - whether an object may be in several places; it is found once, then, however many there are.
 */
export function objectsAt(root: Data, path: PlanPath, isShared: boolean): Data[] {
  const found: Data[] = []
  const seen = isShared ? [...path.map(() => new Set<object>()), new Set<object>()] : null
  collect(root, 0, { path, seen, found })
  return found
}

interface Collection {
  readonly path: PlanPath
  /** Of each step of the path, and its end. */
  readonly seen: readonly Set<object>[] | null
  readonly found: Data[]
}

function collect(value: unknown, index: number, into: Collection): void {
  if (typeof value !== 'object' || value === null) return
  const level = into.seen?.[index]
  if (level?.has(value)) return
  level?.add(value)
  const step = into.path[index]
  if (Array.isArray(value)) {
    if (step === '@') for (const item of value) collect(item, index + 1, into)
  } else if (step === undefined) {
    into.found.push(value as Data)
  } else if (Object.hasOwn(value, step)) {
    collect((value as Data)[step], index + 1, into)
  }
}

/** An object at a path, with how it was reached. */
export interface Place {
  readonly object: Data
  readonly path: Path
  /** The objects on the way, the outermost first and the object itself last. */
  readonly way: readonly Data[]
}

/** How far {@link placesAt} looks: with shared objects, there can be more places than would ever be listed. */
const maxVisits = 200_000

/** Every place at a path, for errors and contexts: slower than {@link objectsAt}. */
export function* placesAt(root: Data, path: PlanPath): Generator<Place> {
  let visits = 0
  function* walk(value: unknown, index: number, at: Path, way: readonly Data[]): Generator<Place> {
    if (visits++ > maxVisits) return
    const step = path[index]
    if (step === '@') {
      if (!Array.isArray(value)) return
      for (const [position, item] of value.entries()) yield* walk(item, index + 1, [...at, position], way)
    } else if (isData(value)) {
      const longer = [...way, value]
      if (step === undefined) yield { object: value, path: at, way: longer }
      else if (Object.hasOwn(value, step)) yield* walk(value[step], index + 1, [...at, step], longer)
    }
  }
  yield* walk(root, 0, [], [])
}

/** Where these objects are, for errors: not more places than an answer should list. */
export function placesOf(root: Data, path: PlanPath, objects: readonly Data[]): Place[] {
  const wanted = new Set(objects)
  return placesAt(root, path)
    .filter(({ object }) => wanted.has(object))
    .take(maxListed)
    .toArray()
}

const maxListed = 100
