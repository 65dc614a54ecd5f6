/** A number that is known when an operation is read, or only with the variables of a request. */
export type Amount = number | ((request: RequestValues) => number)

export interface RequestValues {
  /** Coerced. */
  readonly variables: Readonly<Record<string, unknown>>
  /** What was already worked out for this request, by the numbers that `once` was given. */
  readonly known: Map<number, number>
}

export const valueOf = (amount: Amount, request: RequestValues): number =>
  typeof amount === 'number' ? amount : amount(request)

export function sum(amounts: readonly Amount[]): Amount {
  let constant = 0
  const others: Exclude<Amount, number>[] = []
  for (const amount of amounts) {
    if (typeof amount === 'number') constant += amount
    else others.push(amount)
  }
  if (others.length === 0) return constant
  return (request) => others.reduce((total, amount) => total + amount(request), constant)
}

/** @param factor - finite, and not zero: what it multiplies may be neither. */
export function times(factor: Amount, amount: Amount): Amount {
  if (amount === 0) return 0
  if (typeof factor === 'number' && typeof amount === 'number') return factor * amount
  return (request) => valueOf(factor, request) * valueOf(amount, request)
}

/** The same amount, worked out once for each request, however many amounts are made of it. */
export function once(amount: Amount, id: number): Amount {
  if (typeof amount === 'number') return amount
  return (request) => {
    const known = request.known.get(id)
    if (known !== undefined) return known
    const value = amount(request)
    request.known.set(id, value)
    return value
  }
}
