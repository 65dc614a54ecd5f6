import pg from 'pg'
import { queueSchema } from './queue-migration.ts'

/** Says that this process lives, and lets go of the jobs of those that do not. */
export interface Liveness {
  /** Resolves once the lock is lost, or PostgreSQL does not answer who holds it: our jobs are anybody's then. */
  untilLost(): Promise<void>
  release(): Promise<void>
}

export interface LivenessOptions {
  readonly databaseUrl: string
  readonly pool: pg.Pool
  /** Under which this process takes jobs. */
  readonly id: string
  readonly log: { warn(fields: object, message: string): void }
}

const sweepMs = 1000
const answerMs = 1000
/** Younger jobs are left alone: their process may just be about to say that it lives. */
const graceSeconds = 2

/**
 * The library frees the jobs of a dead process after four hours. A session's advisory lock is freed by PostgreSQL
 * as soon as the session ends, at once when a process is killed and within seconds when its machine is gone
 * (TCP keepalive below). So: hold one under our id; whoever can get that of another id knows it to be dead.
 *
 * Should this process lose its lock and live, its jobs are taken by another one, and its writes are refused,
 * because the run is held by that one then.
 */
export async function holdLiveness({ databaseUrl, pool, id, log }: LivenessOptions): Promise<Liveness> {
  let released = false
  let client: pg.Client | null = null
  let lost = Promise.withResolvers<void>()
  let timer: NodeJS.Timeout | undefined
  let sweeping: Promise<void> = Promise.resolve()

  async function lock(): Promise<void> {
    const next = new pg.Client({
      connectionString: databaseUrl,
      keepAlive: true,
      connectionTimeoutMillis: 5000,
      options: '-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3',
    })
    next.on('error', (err) => {
      log.warn({ err }, 'liveness lock lost')
      if (client !== next) return
      client = null
      lost.resolve()
    })
    try {
      await next.connect()
      await next.query('select pg_advisory_lock(hashtextextended($1, 0))', [id])
      client = next
      lost = Promise.withResolvers()
    } catch (error) {
      await next.end().catch(() => undefined)
      throw error
    }
  }

  async function sweep(): Promise<void> {
    try {
      if (client === null) await lock()
      await pool.query(freeDead, [id, graceSeconds])
    } catch (err) {
      log.warn({ err }, 'jobs of dead processes cannot be freed now')
    }
  }

  function sweepLater(): void {
    timer = setTimeout(() => {
      sweeping = sweep().finally(() => {
        if (!released) sweepLater()
      })
    }, sweepMs)
  }

  await lock()
  sweepLater()
  return {
    async untilLost() {
      if (client === null) return
      // A connection of which nobody is at the other end any more may say nothing at all.
      const silent = setTimeout(lost.resolve, answerMs).unref()
      client.query('select').then(() => clearTimeout(silent), lost.resolve)
      await lost.promise
    },
    async release() {
      released = true
      clearTimeout(timer)
      await sweeping
      await client?.end()
    },
  }
}

// "materialized": the lock is tried once per id and not once per job.
const freeDead = `
  with taken as materialized (
    select distinct locked_by from ${queueSchema}._private_jobs
    where locked_by <> $1 and locked_at < now() - make_interval(secs => $2)
  ), dead as materialized (
    select locked_by from taken where pg_try_advisory_xact_lock(hashtextextended(locked_by, 0))
  )
  select ${queueSchema}.force_unlock_workers(array_agg(locked_by)) from dead having count(*) > 0`
