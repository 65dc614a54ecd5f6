import { setTimeout as pause } from 'node:timers/promises'
import type { Postgres } from '@behalf/postgres'

/** The channel on which the id of every run that ended is sent. */
export const runEnded = 'chat_run_ended'

/** Hears of runs that ended, in whichever process. */
export interface RunWatch {
  /** Calls `listener` when the run ends, which may be missed while the database is away; returns how to stop. */
  onEnd(run: string, listener: () => void): () => void
  /**
   * Resolves when the run is over or after `ms`. `isOver` is asked at the start, then rarely, and when the run ends; more
   * often once this is closed.
   */
  untilOver(run: string, ms: number, isOver: () => Promise<boolean>): Promise<void>
  close(): Promise<void>
}

const rereadMs = 2000
/** Once nothing is heard any more, and the database may be gone: then there is nothing to wait for. */
const rereadClosedMs = 200

export async function watchRuns(db: Pick<Postgres<unknown>, 'listen'>): Promise<RunWatch> {
  const listeners = new Map<string, Set<() => void>>()
  const closed = Promise.withResolvers<void>()
  let reread = rereadMs
  const connection = await db.listen(runEnded, (run) => listeners.get(run)?.forEach((listener) => listener()))

  const onEnd: RunWatch['onEnd'] = (run, listener) => {
    const ofRun = listeners.get(run) ?? new Set()
    listeners.set(run, ofRun.add(listener))
    return () => {
      ofRun.delete(listener)
      if (ofRun.size === 0 && listeners.get(run) === ofRun) listeners.delete(run)
    }
  }

  return {
    onEnd,
    async untilOver(run, ms, isOver) {
      const end = Date.now() + ms
      for (;;) {
        const heard = Promise.withResolvers<void>()
        const stopTimer = new AbortController()
        // Before the question, so that an end between question and answer is heard.
        const stop = onEnd(run, heard.resolve)
        try {
          if (ms <= 0 || (await isOver()) || Date.now() >= end) return
          const wait = Math.min(reread, end - Date.now())
          await Promise.race([
            heard.promise,
            ...(reread === rereadMs ? [closed.promise] : []),
            pause(wait, undefined, { signal: stopTimer.signal }).catch(() => undefined),
          ])
        } finally {
          stop()
          stopTimer.abort()
        }
      }
    },
    close() {
      reread = rereadClosedMs
      closed.resolve()
      return connection.close()
    },
  }
}
