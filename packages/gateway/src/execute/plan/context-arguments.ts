import type { FetchDataKeyRenamer } from '@apollo/query-planner'
import { type Data, isData } from './places.ts'
import type { IsOfType } from './type-conditions.ts'

/** Encoded values of a fetch's arguments that come from the objects around an entity (`@fromContext`), by variable. */
export type ReadContexts = (way: readonly Data[]) => ReadonlyMap<string, string>

/** Null for a fetch without any. */
export function compileContexts(
  rewrites: readonly FetchDataKeyRenamer[] | undefined,
  isOfType: IsOfType,
): ReadContexts | null {
  if (rewrites === undefined || rewrites.length === 0) return null
  return (way) => {
    const values = new Map<string, string>()
    for (const { path, renameKeyTo } of rewrites) {
      // One for each type that the context may be set on.
      if (values.has(renameKeyTo)) continue
      const value = JSON.stringify(valueAt(path, way, isOfType))
      if (value !== undefined) values.set(renameKeyTo, value)
    }
    return values
  }
}

/** Of a path such as `..`, `... on User`, `locale`: how many objects up, which type has it, what of it. */
function valueAt(path: readonly string[], way: readonly Data[], isOfType: IsOfType): unknown {
  const ups = path.filter((step) => step === '..').length
  let value: unknown = way.at(-1 - ups)
  for (const step of path.slice(ups)) {
    if (!isData(value)) return value === null ? null : undefined
    const condition = /^\.\.\. on (.+)$/.exec(step)?.[1]
    if (condition === undefined) value = Object.hasOwn(value, step) ? value[step] : undefined
    else if (typeof value['__typename'] === 'string' && !isOfType(value['__typename'], condition)) return undefined
  }
  return value
}
