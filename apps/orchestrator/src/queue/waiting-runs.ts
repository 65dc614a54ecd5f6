import type { ResolvedApproval } from '@behalf/identity'
import { sql, type Kysely } from 'kysely'
import type pg from 'pg'
import { queueSchema } from './queue-migration.ts'
import { addRunJob, type RunJob } from './run-job.ts'

const decisions = `${queueSchema}.decisions`
const jobs = `${queueSchema}._private_jobs`

/** Up to which number decisions of users were heard, by whichever process, for a statement that asks something else, too. */
export const heardNow = `coalesce((select heard from ${decisions}), 0)`

/**
 * The same, and keeps others from hearing more until the transaction of `db` is over: what is stored in it is there for the
 * next decision to find.
 */
export async function holdDecisions<Tables>(db: Kysely<Tables>): Promise<bigint> {
  const { rows } = await sql<{ heard: string }>`select heard from ${sql.raw(decisions)} for share`.execute(db)
  return BigInt(rows[0]?.heard ?? 0)
}

/**
 * Adds the job of a run that waits for its user, in the transaction of `db`. Nobody takes it before `until`, in
 * milliseconds since the epoch, when there is nothing to wait for any more, or a decision wakes it.
 */
export async function enqueueWaiting<Tables>(db: Kysely<Tables>, job: RunJob, until: number): Promise<void> {
  // Clocks differ: a run that was woken early looks, and waits again, but not as fast as it can.
  await addRunJob(db, job, { key: job.run, runAt: new Date(Math.max(until, Date.now()) + 1000) })
}

/** Has the runs that wait for any of these decisions taken now, each once, and remembers up to where they were heard. */
export async function hearDecisions(pool: pg.Pool, resolved: readonly ResolvedApproval[]): Promise<void> {
  const heard = Math.max(...resolved.map(({ sequence }) => sequence))
  const runs = resolved.map(({ run }) => run)
  const client = await pool.connect()
  try {
    await client.query('begin')
    // Of several processes that hear the same, one wakes. After it, and not together with it: whoever held the row may
    // have stored a run that waits.
    const { rowCount } = await client.query(`update ${decisions} set heard = $1 where heard < $1`, [heard])
    if (rowCount === 1) {
      await client.query(
        `update ${jobs} set run_at = now() where key = any($1) and locked_at is null and run_at > now()`,
        [runs],
      )
      await client.query(`select pg_notify('jobs:insert', '{"r":0,"count":1}')`)
    }
    await client.query('commit')
    client.release()
  } catch (error) {
    client.release(true)
    throw error
  }
}

/** Up to where decisions were heard, for whoever asks for the next. */
export async function lastHeard(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ heard: string }>(`select heard from ${decisions}`)
  return Number(rows[0]?.heard ?? 0)
}
