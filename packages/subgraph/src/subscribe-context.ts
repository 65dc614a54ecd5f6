import type { Identity } from '@behalf/identity'
import type { BoundTransaction, Postgres } from '@behalf/postgres'
import { AppError } from '@behalf/identity'

/** What the source of a subscription's events is given. It lives as long as the stream, and holds nothing. */
export interface SubscribeContext<Tables> {
  /** Who is listening, as the gateway vouched for it. */
  readonly identity: Identity
  /** Aborts when the stream ends, for whatever reason. */
  readonly signal: AbortSignal
  /**
   * Runs queries in one read-only transaction of the caller's, which ends with `work`: no connection is held while
   * nothing happens.
   */
  read<R>(work: (db: BoundTransaction<Tables>['db']) => Promise<R>): Promise<R>
}

export const createSubscribeContext = (
  db: Postgres<unknown> | null,
  identity: Identity,
  signal: AbortSignal,
): SubscribeContext<unknown> => ({
  identity,
  signal,
  async read(work) {
    if (db === null) throw new AppError('INTERNAL', undefined, { cause: 'createSubgraph was called without db' })
    const open = db.bind(identity, 'read')
    try {
      return await work(open.db)
    } finally {
      await open.end()
    }
  },
})
