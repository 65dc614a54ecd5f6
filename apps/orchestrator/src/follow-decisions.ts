import { setTimeout as pause } from 'node:timers/promises'
import type { AgentApi } from '@behalf/orchestration'
import type { Logger } from '@behalf/process'
import type { RunQueue } from './queue/run-queue.ts'

const retryMs = 1000

/**
 * Asks the gateway for what users decided, and wakes the runs that wait for it: in every process, since any may be gone.
 * Where to go on is stored with the queue, so that nothing is missed while none is there.
 */
export function followDecisions(options: {
  readonly agentApi: Pick<AgentApi, 'resolvedApprovals'>
  readonly queue: Pick<RunQueue, 'hear' | 'lastHeard'>
  readonly log: Logger
}): { stop(): void } {
  const { agentApi, queue, log } = options
  const stopping = new AbortController()
  const { signal } = stopping

  async function follow(): Promise<void> {
    let failing = false
    while (!signal.aborted) {
      try {
        const resolved = await agentApi.resolvedApprovals(await queue.lastHeard(), signal)
        if (resolved.length > 0) await queue.hear(resolved)
        failing = false
      } catch (err) {
        if (signal.aborted) return
        if (!failing) log.warn({ err }, 'decisions of users cannot be asked for now')
        failing = true
        await pause(retryMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  void follow()
  // Not waited for: the database that is asked may be gone.
  return { stop: () => stopping.abort() }
}
