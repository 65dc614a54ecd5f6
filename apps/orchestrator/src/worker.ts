import { createRunner, type AgentApi, type ModelBackend } from '@behalf/orchestration'
import { storedCaller, type Postgres } from '@behalf/postgres'
import type { Logger } from '@behalf/process'
import type { Config } from './config.ts'
import type { Database } from './database.ts'
import { startRunQueue, type QueuedRun, type RunQueue } from './queue/run-queue.ts'
import type { RunFeed } from './run-feed.ts'
import type { RunWatch } from './run-watch.ts'
import { createRunStore } from './store/run-store.ts'

export interface WorkerOptions {
  readonly config: Pick<Config, 'databaseUrl' | 'runConcurrency' | 'instructions' | 'bounds' | 'budgets'>
  readonly db: Postgres<Database>
  readonly backend: ModelBackend
  readonly agentApi: AgentApi
  readonly watch: RunWatch
  readonly feed: Pick<RunFeed, 'say' | 'forget'>
  readonly log: Logger
}

/** A run that takes its process down, or fails for no known reason, is not tried for ever. */
const maxAttempts = 6

/** Takes runs from the queue and works them, each as its owner. */
export function startWorker({ config, db, backend, agentApi, watch, feed, log }: WorkerOptions): Promise<RunQueue> {
  async function work({ run, subject, tenant, attempt, signal }: QueuedRun): Promise<void> {
    const store = createRunStore(db, storedCaller({ subject, tenant }), config.budgets)
    if (attempt > maxAttempts) {
      const taken = await store.take(run)
      log.error({ run, attempt }, 'run given up')
      await taken?.end({ status: 'FAILED', code: 'INTERNAL', retryAfterMs: null, text: '' })
      return
    }
    const ended = new AbortController()
    // Cancelled or deleted by its user: what it is doing now is for nobody.
    const forget = watch.onEnd(run, () => ended.abort())
    try {
      const runner = createRunner({
        store,
        backend,
        agentApi,
        bounds: config.bounds,
        instructions: config.instructions,
        onText: (_run, delta) => feed.say(run, delta),
        // Its message only: the cause holds what was sent, the conversation included.
        onModelError: (_run, { code, cause }) =>
          log.warn({ run, code, reason: cause instanceof Error ? cause.message : cause }, 'model failed'),
      })
      await runner.run(run, AbortSignal.any([signal, ended.signal]))
    } catch (err) {
      // Word of an end is anybody's who can reach the database; only the store knows.
      if (ended.signal.aborted && (await store.take(run)) === null) return
      if (!signal.aborted) log.error({ run, attempt, err }, 'run failed')
      throw err
    } finally {
      forget()
      feed.forget(run)
    }
  }

  return startRunQueue({ databaseUrl: config.databaseUrl, concurrency: config.runConcurrency, work, log })
}
