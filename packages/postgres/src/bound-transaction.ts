import type { Identity } from '@behalf/identity'
import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import type { Statement } from './batch.ts'
import { boundKysely } from './bound-kysely.ts'
import { CallerConnection, type Isolation } from './caller-connection.ts'
import { callerSettings, type StoredCaller } from './caller.ts'
import { performOnce, type Effect } from './perform-once.ts'
import { Turns } from './turns.ts'

export interface BoundTransaction<Tables> {
  /** Every query runs in this one transaction; `transaction()` makes a savepoint. It cannot end the transaction. */
  readonly db: Kysely<Tables>
  /**
   * Runs `work` once per `effect.id`. A repeat by the same subject with the same request gets the recorded outcome,
   * as JSON; one that comes while the first is at work waits for it. If `work` fails, all is rolled back, and a
   * repeat runs it again.
   *
   * @throws AppError CONTEXT_WRONG_REQUEST if the id was used for something else, or by someone else; OUTCOME_UNKNOWN
   * if it was started, committed in part, and never ended
   */
  perform<R>(effect: Effect, work: () => Promise<R>): Promise<R>
  /** Runs `work` so that a failure undoes what it did, and nothing before. */
  savepoint<R>(work: () => Promise<R>): Promise<R>
  /**
   * A later query opens a new transaction.
   *
   * @param last - statements that are run before, in the same round trip
   * @returns their rows
   * @throws AppError INTERNAL if PostgreSQL rolled back instead, UNAVAILABLE if the connection was lost before,
   * OUTCOME_UNKNOWN if it was lost meanwhile
   */
  commit(last?: readonly Statement[]): Promise<readonly (readonly object[])[]>
  /** Whether something failed only because of other transactions at the same time: the whole may be done again. */
  readonly conflicted: boolean
  /** Undoes everything since the last commit. Never throws. */
  rollback(): Promise<void>
  /** Undoes everything since the last commit and refuses whatever is asked later, as UNAVAILABLE. Never throws. */
  end(): Promise<void>
}

/** Opens nothing until the first query. */
export function bindTransaction<Tables>(
  pool: Pool,
  caller: Identity | StoredCaller,
  mode: 'read' | 'write',
  patienceMs: number,
  isolation: Isolation = 'read committed',
): BoundTransaction<Tables> {
  const settings = callerSettings(caller)
  const connection = new CallerConnection(pool, settings, mode, isolation)
  const turns = new Turns(patienceMs)
  const db = boundKysely<Tables>(connection, turns)
  return {
    db,
    get conflicted() {
      return connection.conflicted
    },
    perform: (effect, work) => performOnce({ connection, turns, subject: settings.sub }, effect, work),
    savepoint: (work) => db.transaction().execute(() => work()),
    commit: (last) => turns.take(async () => (await connection.commit(last)).map(({ rows }) => rows)),
    rollback: () => connection.rollback(),
    end: () => connection.end(),
  }
}
