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
    await pause(firstMs, done)
    while (!done.aborted) {
      try {
        await agentApi.watch(request, done)
      } catch (error) {
        if (done.aborted) return
        if (error instanceof AppError && (error.code === 'SESSION_ENDED' || error.code === 'DELEGATION_REFUSED'))
          return over.abort(error)
        await pause(retryMs, done)
      }
    }
  }
  void follow()
  return over.signal
}

/** Up to the end of `done`. An error for each run that ends in time, as of timers with a signal, costs more than the rest. */
function pause(ms: number, done: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      done.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    done.addEventListener('abort', end)
    if (done.aborted) end()
  })
}
