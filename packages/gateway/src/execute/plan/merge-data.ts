import { type Data, isData } from './places.ts'
import type { IsOfType } from './type-conditions.ts'

/**
 * Adds to an object what another answer has of it, objects and lists of one length item by item. Which answer comes
 * first makes no difference to these: null takes no value's place, nor an interface (of a subgraph that has it as an
 * `@interfaceObject`) that of the type that implements it.
 */
export function mergeData(into: Data, from: Data, isOfType: IsOfType): void {
  for (const key of Object.keys(from)) {
    // No plan asks for it, and to assign it would be to change a prototype.
    if (key === '__proto__') continue
    const value = from[key]
    const known = into[key]
    if (known === undefined || known === null) into[key] = value
    else if (value !== null && known !== value) into[key] = merge(key, known, value, isOfType)
  }
}

function merge(key: string, known: unknown, value: unknown, isOfType: IsOfType): unknown {
  if (isData(known) && isData(value)) {
    mergeData(known, value, isOfType)
    return known
  }
  if (Array.isArray(known) && Array.isArray(value) && known.length === value.length) {
    return known.map((item: unknown, index) => {
      const other: unknown = value[index]
      return item === null || other === null ? (item ?? other) : merge(key, item, other, isOfType)
    })
  }
  const isLessKnown =
    key === '__typename' && typeof known === 'string' && typeof value === 'string' && isOfType(known, value)
  return isLessKnown ? known : value
}
