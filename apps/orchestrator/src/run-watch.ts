import type { Postgres } from '@behalf/postgres'

/** The channel on which the id of every run that ended is sent. */
export const runEnded = 'chat_run_ended'
/** The same of every run that waits for its user. */
export const runWaits = 'chat_run_waits'

/** Hears of runs that ended, in whichever process. */
export interface RunWatch {
  /** Calls `listener` when the run ends, which may be missed while the database is away; returns how to stop. */
  onEnd(run: string, listener: () => void): () => void
  /**
   * Resolves when the run is over, when it waits for its user, or after `ms`. `isOver` says whether it is either: it is
   * asked at the start, unless the run was heard from before it began, then rarely, and when it is heard; more often once
   * this is closed.
   */
  untilOver(run: string, ms: number, isOver: () => Promise<boolean>, begun?: Heard): Promise<void>
  /** Hears of the end, or waiting, of a run that is not there yet. */
  hear(run: string): Heard
  close(): Promise<void>
}

/** What is heard of one run, up to when it is left. */
export interface Heard extends Disposable {
  readonly promise: Promise<void>
}

const rereadMs = 2000
/** Once nothing is heard any more, and the database may be gone: then there is nothing to wait for. */
const rereadClosedMs = 200

export async function watchRuns(db: Pick<Postgres<unknown>, 'listen'>): Promise<RunWatch> {
  const closed = Promise.withResolvers<void>()
  let reread = rereadMs
  const [ended, waits] = [createListeners(), createListeners()]
  const connections = [await db.listen(runEnded, ended.tell), await db.listen(runWaits, waits.tell)]

  function hear(run: string): Heard {
    const { promise, resolve } = Promise.withResolvers<void>()
    const stops = [ended, waits].map((listeners) => listeners.add(run, resolve))
    return {
      promise,
      [Symbol.dispose]() {
        for (const stop of stops) stop()
      },
    }
  }

  return {
    onEnd: ended.add,
    hear,
    async untilOver(run, ms, isOver, begun) {
      const end = Date.now() + ms
      for (let isAsked = begun === undefined; ; isAsked = true) {
        // Before the question, so that an end between question and answer is heard.
        using heard = isAsked || begun === undefined ? hear(run) : begun
        const late = Promise.withResolvers<void>()
        let timer: NodeJS.Timeout | undefined
        try {
          if (ms <= 0 || (isAsked && (await isOver())) || Date.now() >= end) return
          timer = setTimeout(late.resolve, Math.min(reread, end - Date.now()))
          await Promise.race([heard.promise, ...(reread === rereadMs ? [closed.promise] : []), late.promise])
        } finally {
          clearTimeout(timer)
        }
      }
    },
    async close() {
      reread = rereadClosedMs
      closed.resolve()
      await Promise.all(connections.map((connection) => connection.close()))
    },
  }
}

function createListeners() {
  const listeners = new Map<string, Set<() => void>>()
  return {
    tell: (run: string) => listeners.get(run)?.forEach((listener) => listener()),
    add(run: string, listener: () => void) {
      const ofRun = listeners.get(run) ?? new Set()
      listeners.set(run, ofRun.add(listener))
      return () => {
        ofRun.delete(listener)
        if (ofRun.size === 0 && listeners.get(run) === ofRun) listeners.delete(run)
      }
    },
  }
}
