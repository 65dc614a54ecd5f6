import type { ResolvedApproval } from '@behalf/identity'
import { listenOn, type Listener } from '@behalf/postgres'

export interface ResolutionFeed {
  /** See `Approvals.resolved`. */
  next(read: () => Promise<readonly ResolvedApproval[]>, signal: AbortSignal): Promise<readonly ResolvedApproval[]>
  start(): Promise<void>
  close(): Promise<void>
}

/** Of a NOTIFY that a trigger sends. */
const channel = 'behalf_approval'

/**
 * Wakes whoever waits when PostgreSQL says that something was resolved, and every second in any case: what is heard is
 * never believed, only taken as a reason to read.
 */
export function createResolutionFeed({ url, pollMs = 1000 }: { url: string; pollMs?: number }): ResolutionFeed {
  const waiting = new Set<() => void>()
  const closed = new AbortController()
  let listener: Listener | undefined
  const wake = () => {
    for (const go of waiting) go()
  }

  function change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer)
        waiting.delete(go)
        signal.removeEventListener('abort', go)
        resolve()
      }
      const timer = setTimeout(go, pollMs)
      waiting.add(go)
      signal.addEventListener('abort', go)
    })
  }

  return {
    async next(read, signal) {
      const ended = AbortSignal.any([signal, closed.signal])
      for (;;) {
        // What is resolved while it reads is heard.
        const changed = change(ended)
        const found = await read()
        if (found.length > 0 || ended.aborted) return found
        await changed
      }
    },
    async start() {
      listener = await listenOn(url, channel, wake)
    },
    async close() {
      closed.abort()
      await listener?.close()
    },
  }
}
