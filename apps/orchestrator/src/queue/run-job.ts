import { sql, type Kysely } from 'kysely'
import { z } from 'zod'
import { queueSchema } from './queue-migration.ts'

/** What a job says: which run, and whose. Written by a request of the owner's, in the transaction of the run. */
export interface RunJob {
  readonly run: string
  readonly subject: string
  readonly tenant: string
}

export const runTask = 'run'
/** More than the worker ever lets happen: it gives up a run long before the queue would forget it. */
export const maxJobAttempts = 1000

const runJob = z.object({ run: z.string(), subject: z.string(), tenant: z.string() })

export const readRunJob = (payload: unknown): RunJob => runJob.parse(payload)

/** @param when - `key`: there is at most one job of it that nobody has taken; `runAt`: not before, null for now */
export async function addRunJob<Tables>(
  db: Kysely<Tables>,
  { run, subject, tenant }: RunJob,
  { key, runAt }: { readonly key: string | null; readonly runAt: Date | null },
): Promise<void> {
  const payload = JSON.stringify({ run, subject, tenant })
  await sql`select from ${sql.id(queueSchema, 'add_job')}(${runTask}, ${payload}::json, run_at => ${runAt}::timestamptz,
    max_attempts => ${maxJobAttempts}::integer, job_key => ${key}::text)`.execute(db)
}
