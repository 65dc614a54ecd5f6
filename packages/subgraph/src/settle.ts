/** As GraphQL sees it. */
export const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function'

/** Uses a value now, or when it is there: what is not promised stays so. */
export const settle = (value: unknown, use: (value: unknown) => unknown): unknown =>
  isPromise(value) ? value.then(use) : use(value)

/** What is neither an object nor a promise of one: nothing, or an error in place of it, which GraphQL throws there. */
export const isAbsent = (value: unknown): boolean => value === null || value === undefined || value instanceof Error

export const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value
