/** How many times as long it may be until the next look, after failures. */
const mostPatience = 10

/**
 * Looks from time to time; after a failure later and later. Between three quarters and all of the time in question goes by,
 * so that gateways that were started together do not ask together.
 *
 * @param look - whether it could be done; never rejects.
 * @returns how to end it
 */
export function poll(
  look: () => Promise<boolean>,
  { everyMs, random = Math.random }: { readonly everyMs: number; readonly random?: () => number },
): () => void {
  let failures = 0
  let isOver = false
  let timer: NodeJS.Timeout

  function next(): void {
    if (isOver) return
    const wait = everyMs * Math.min(2 ** failures, mostPatience)
    timer = setTimeout(() => void once(), wait * (0.75 + random() / 4)).unref()
  }
  async function once(): Promise<void> {
    failures = (await look()) ? 0 : failures + 1
    next()
  }

  next()
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}
