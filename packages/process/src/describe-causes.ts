/** Why, one line each: the error, what caused it, and so on to the first cause; no stacks. */
export function describeCauses(error: unknown): string[] {
  const chain: unknown[] = []
  for (let next = error; next !== undefined && !chain.includes(next); next = causeOf(next)) chain.push(next)
  return [...new Set(chain.map(messageOf).filter((line) => line !== ''))]
}

/** A connection that failed on several addresses is an AggregateError, often without a message. */
function causeOf(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined
  return error.cause ?? (error instanceof AggregateError ? error.errors[0] : undefined)
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Where a module cannot be parsed, only the line above the stack says which.
  const place = error instanceof SyntaxError ? /^.+:\d+$/.exec(error.stack?.split('\n')[0] ?? '')?.[0] : undefined
  if (place !== undefined) return `${error.message} (${place})`
  return error.message !== '' || !('code' in error) ? error.message : String(error.code)
}
