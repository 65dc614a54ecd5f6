import DataLoader from 'dataloader'

/** Loaders of one request, by what they load with: all of them can be forgotten at once. */
const loadersOf = new WeakMap<object, Map<object, unknown>>()

/**
 * Defines a loader that collects the keys asked for in one tick and loads them together, once per request:
 * two callers never share what was loaded.
 *
 * @param load - values in the order of `keys` (`oneByKey`, `manyByKey`); an `Error` in place of a value fails that key only.
 */
export function defineLoader<Key, Value, Context extends object>(
  load: (keys: readonly Key[], context: Context) => Promise<ArrayLike<Value | Error>>,
): (context: Context) => DataLoader<Key, Value> {
  return (context) => {
    let loaders = loadersOf.get(context)
    if (loaders === undefined) loadersOf.set(context, (loaders = new Map()))
    let loader = loaders.get(load) as DataLoader<Key, Value> | undefined
    if (loader === undefined) {
      loaders.set(load, (loader = new DataLoader<Key, Value>((keys) => load(keys, context))))
    }
    return loader
  }
}

/** Before a Mutation field runs: what an earlier field loaded may no longer be true. */
export function forgetLoaded(context: object): void {
  loadersOf.delete(context)
}
