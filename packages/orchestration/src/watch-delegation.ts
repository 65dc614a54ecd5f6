import { setTimeout as pause } from 'node:timers/promises'
import { AppError } from '@behalf/identity'
import type { AgentApi } from './agent-api.ts'

/** A run that is over sooner is not worth a connection that is broken off at its end. */
const firstMs = 250
/** Pause after a failure that says nothing of the delegation. */
const retryMs = 1000

/**
 * Aborts with the reason when a delegation ends, so that nothing goes on under it: no model writes on, no tool is waited
 * for. Calls are refused by the gateway in any case; this is for what is under way.
 *
 * @param done - stops the watching
 */
export function watchDelegation(
  agentApi: Pick<AgentApi, 'watch'>,
  request: { readonly delegation: string; readonly run: string },
  done: AbortSignal,
): AbortSignal {
  const over = new AbortController()
  async function follow(): Promise<void> {
    await pause(firstMs, undefined, { signal: done }).catch(() => undefined)
    while (!done.aborted) {
      try {
        await agentApi.watch(request, done)
      } catch (error) {
        if (done.aborted) return
        if (error instanceof AppError && (error.code === 'SESSION_ENDED' || error.code === 'DELEGATION_REFUSED'))
          return over.abort(error)
        await pause(retryMs, undefined, { signal: done }).catch(() => undefined)
      }
    }
  }
  void follow()
  return over.signal
}
