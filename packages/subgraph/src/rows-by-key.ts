/**
 * For a loader: the row of each key, in the order of the keys; null for a key without one. A database gives rows in
 * any order and leaves out what the caller may not see: handed on as they come, they would be those of other keys.
 *
 * @param rows - at most one per key; of several, the last.
 * @param keyOf - the key a row is of, `===` to the one that was asked for.
 */
export function oneByKey<Key, Row>(
  keys: readonly Key[],
  rows: readonly Row[],
  keyOf: (row: Row) => NoInfer<Key>,
): (Row | null)[] {
  const byKey = new Map(rows.map((row) => [keyOf(row), row]))
  return keys.map((key) => byKey.get(key) ?? null)
}

/**
 * For a loader: the rows of each key, in the order of the keys; an empty list for a key without any. The rows of one
 * key stay in their order.
 *
 * @param keyOf - the key a row is of, `===` to the one that was asked for.
 */
export function manyByKey<Key, Row>(
  keys: readonly Key[],
  rows: readonly Row[],
  keyOf: (row: Row) => NoInfer<Key>,
): Row[][] {
  const byKey = Map.groupBy(rows, keyOf)
  return keys.map((key) => byKey.get(key) ?? [])
}
