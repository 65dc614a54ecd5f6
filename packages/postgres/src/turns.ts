import { AsyncLocalStorage } from 'node:async_hooks'
import { AppError } from '@behalf/identity'

interface Turn {
  readonly of: Turns
  readonly within: Turn | undefined
  over: boolean
}

const current = new AsyncLocalStorage<Turn>()

/**
 * One at a time, first come first served. Whoever has the turn may ask again: a resolver that uses `db` inside the
 * callback of `db.transaction()`, directly or through a loader, is part of that transaction.
 */
export class Turns {
  readonly #patienceMs: number
  #last: Promise<void> = Promise.resolve()

  /** @param patienceMs how long to wait for a turn, so that work which waits for itself ends */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  /** @throws AppError UNAVAILABLE if the turn does not come in time */
  async take<R>(work: () => Promise<R>): Promise<R> {
    const within = current.getStore()
    if (this.#isTakenBy(within)) return work()
    const before = this.#last
    const mine = Promise.withResolvers<void>()
    this.#last = mine.promise
    try {
      await this.#inTime(before)
    } catch (error) {
      void before.then(mine.resolve)
      throw error
    }
    const turn: Turn = { of: this, within, over: false }
    try {
      return await current.run(turn, work)
    } finally {
      turn.over = true
      mine.resolve()
    }
  }

  #isTakenBy(turn: Turn | undefined): boolean {
    for (let held = turn; held !== undefined; held = held.within) if (held.of === this && !held.over) return true
    return false
  }

  async #inTime(before: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(
      () =>
        late.reject(
          new AppError('UNAVAILABLE', undefined, {
            cause: new Error('A query waited for a nested transaction of the same request that did not end.'),
          }),
        ),
      this.#patienceMs,
    )
    try {
      await Promise.race([before, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }
}
