import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from './failure.ts'

const pause = 40

/**
 * Waits until `url` answers 200.
 *
 * @param within milliseconds
 * @throws Failure if it does not, with what it answered last; the signal's reason if that comes first
 */
export async function waitUntilReady(
  name: string,
  url: string,
  {
    within,
    signal,
  }: {
    within: number
    signal: AbortSignal
  },
): Promise<void> {
  const end = performance.now() + within
  let last = 'no answer'
  while (performance.now() < end) {
    signal.throwIfAborted()
    try {
      const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]) })
      const text = await response.text()
      if (response.ok) return
      last = `${response.status} ${text.slice(0, 200)}`
    } catch {
      signal.throwIfAborted()
    }
    await delay(pause, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
  throw new Failure(`${name} is not ready after ${within / 1000} s (${url}: ${last}).`)
}
