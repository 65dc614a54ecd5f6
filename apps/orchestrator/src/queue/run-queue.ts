import type { ResolvedApproval } from '@behalf/identity'
import { Logger, run as startWorkers, type LogFunctionFactory, type WorkerEvents } from 'graphile-worker'
import { EventEmitter } from 'node:events'
import pg from 'pg'
import { holdLiveness, type Liveness } from './liveness.ts'
import { queueSchema } from './queue-migration.ts'
import { maxJobAttempts, readRunJob, runTask, type RunJob } from './run-job.ts'
import { hearDecisions, lastHeard } from './waiting-runs.ts'

export interface QueuedRun extends RunJob {
  /** How often the job was taken, this time included. */
  readonly attempt: number
  /** Aborts when this process is to stop. */
  readonly signal: AbortSignal
}

export interface RunQueue {
  /** Has runs taken now that waited for these decisions; they were heard then, by every process. */
  hear(resolved: readonly ResolvedApproval[]): Promise<void>
  /** The number of the last decision that was heard. */
  lastHeard(): Promise<number>
  /** Takes no more jobs, asks those under way to stop and hands them to whoever takes them next. */
  stop(): Promise<void>
}

export interface RunQueueOptions {
  /** Of the app's own role. */
  readonly databaseUrl: string
  /** Runs at once in this process. */
  readonly concurrency: number
  /** Resolves when the run is over. If it rejects, the run is tried again, after longer and longer waits. */
  readonly work: (run: QueuedRun) => Promise<void>
  readonly log: { error(fields: object, message: string): void; warn(fields: object, message: string): void }
}

/**
 * Starts taking jobs. Taken jobs of a process that died are taken again within seconds: each process holds a lock
 * that PostgreSQL lets go when the process's connection ends (see liveness.ts).
 */
export async function startRunQueue(options: RunQueueOptions): Promise<RunQueue> {
  const { databaseUrl, concurrency, work, log } = options
  const stopping = new AbortController()
  const pool = new pg.Pool({ connectionString: databaseUrl, max: Math.min(concurrency, 4) + 2 })
  pool.on('error', (err) => log.warn({ err }, 'queue connection lost'))
  // A connection that is lost while it is used fails its query, which says so.
  pool.on('connect', (client) => client.on('error', () => undefined))
  const events: WorkerEvents = new EventEmitter()
  const created = Promise.withResolvers<string>()
  events.once('pool:create', ({ workerPool }) => created.resolve(workerPool.id))

  const workers = await startWorkers({
    pgPool: pool,
    schema: queueSchema,
    concurrency,
    // Jobs are announced by NOTIFY; this finds those that were tried before, or announced while nobody heard.
    pollInterval: 1000,
    noHandleSignals: true,
    parsedCronItems: [],
    events,
    logger: new Logger(toLog(log)),
    taskList: {
      [runTask]: async (payload, { job: { attempts }, withPgClient }) => {
        const taken = readRunJob(payload)
        try {
          await work({ ...taken, attempt: attempts, signal: stopping.signal })
        } catch (error) {
          if (!stopping.signal.aborted) throw error
          // As a new job it is anybody's at once, without the wait of a failed one.
          await withPgClient((client) =>
            client.query(`select from ${queueSchema}.add_job($1, $2::json, max_attempts => $3)`, [
              runTask,
              JSON.stringify(taken),
              maxJobAttempts,
            ]),
          )
        }
      },
    },
  })
  workers.promise.catch((err: unknown) => log.error({ err }, 'run queue stopped'))

  let liveness: Liveness
  try {
    liveness = await holdLiveness({ databaseUrl, pool, id: await created.promise, log })
  } catch (error) {
    await workers.stop()
    await pool.end()
    throw error
  }

  return {
    hear: (resolved) => hearDecisions(pool, resolved),
    lastHeard: () => lastHeard(pool),
    async stop() {
      stopping.abort(new Error('This process is stopping.'))
      const handedOver = async () => {
        await workers.stop()
        await liveness.release()
        await pool.end()
      }
      // The library asks a database that is going away again and again, seconds apart (57P03). Without it nothing can be
      // handed over, and nothing has to be: without our lock, our jobs are anybody's.
      await Promise.race([handedOver(), liveness.untilLost()])
    },
  }
}

/** Runs wait for models, not for the database: few connections serve many of them. */
const deliberate = /^WARNING: having maxPoolSize \(\d+\) smaller than concurrency/

/** The library's own log: what went wrong, without payloads. */
function toLog(log: RunQueueOptions['log']): LogFunctionFactory {
  return () => (level, message) => {
    if (level === 'error') log.error({}, `run queue: ${message}`)
    else if (level === 'warning' && !deliberate.test(message)) log.warn({}, `run queue: ${message}`)
  }
}
