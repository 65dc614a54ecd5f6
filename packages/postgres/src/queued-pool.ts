import { AppError } from '@behalf/identity'
import pg from 'pg'

/** Who wait at most for each connection of the pool. */
const waitingForEach = 50

/** A pool that knows who waits for its connections, and for how long: whoever comes can be told at once that it is in vain. */
export class QueuedPool extends pg.Pool {
  /** Since when each of them waits, in milliseconds; the first that came first. */
  readonly #waiting = new Set<{ readonly since: number }>()
  readonly #most: number
  readonly #longestMs: number

  constructor(options: pg.PoolConfig & { readonly max: number; readonly connectionTimeoutMillis: number }) {
    super(options)
    this.#most = options.max * waitingForEach
    // Far from where those who wait give up: whoever was let in is to have their turn.
    this.#longestMs = options.connectionTimeoutMillis / 4
  }

  /** @throws AppError UNAVAILABLE: nothing was done, and it may well be done a little later */
  requireRoom(): void {
    const [first] = this.#waiting
    if (first === undefined) return
    const waits = performance.now() - first.since
    if (this.#waiting.size < this.#most && waits < this.#longestMs) return
    throw new AppError('UNAVAILABLE', 'There is more to do than can be done now. Try again.', {
      cause: `${this.#waiting.size} wait for a connection, for up to ${Math.round(waits)} ms`,
      details: { retryAfter: 1 },
    })
  }

  override connect(): Promise<pg.PoolClient>
  override connect(callback: Parameters<pg.Pool['connect']>[0]): void
  override connect(callback?: Parameters<pg.Pool['connect']>[0]): Promise<pg.PoolClient> | void {
    const waiter = { since: performance.now() }
    this.#waiting.add(waiter)
    const leave = () => this.#waiting.delete(waiter)
    if (callback !== undefined) {
      return super.connect((error, client, done) => {
        leave()
        callback(error, client, done)
      })
    }
    const connected = super.connect()
    connected.then(leave, leave)
    return connected
  }
}
