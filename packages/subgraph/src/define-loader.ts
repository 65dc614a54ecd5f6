import DataLoader from 'dataloader'

/** Loaders of one request, by their definition. */
const loadersOf = new WeakMap<object, Map<object, unknown>>()

/**
 * Defines a loader that collects the keys asked for in one tick and loads them together, once per request:
 * two callers never share what was loaded.
 *
 * @param load - values in the order of `keys`; an `Error` in place of a value fails that key only.
 */
export function defineLoader<Key, Value, Context extends object>(
  load: (keys: readonly Key[], context: Context) => Promise<ArrayLike<Value | Error>>,
): (context: Context) => DataLoader<Key, Value> {
  // Its own map per definition would outlive nothing either; one map per request can be forgotten at once.
  const definition = load
  return (context) => {
    let loaders = loadersOf.get(context)
    if (loaders === undefined) loadersOf.set(context, (loaders = new Map()))
    let loader = loaders.get(definition) as DataLoader<Key, Value> | undefined
    if (loader === undefined) {
      loaders.set(definition, (loader = new DataLoader<Key, Value>((keys) => load(keys, context))))
    }
    return loader
  }
}

/** Before a Mutation field runs: what an earlier field loaded may no longer be true. */
export function forgetLoaded(context: object): void {
  loadersOf.delete(context)
}
