import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import { gatewayMeter } from '../measure/meter.ts'

const loggedEveryMs = 1000

/** How much there is to do at the same time. */
export interface Load {
  /**
   * Has a request among those that are arriving until it has `arrived`, and before it is admitted: whoever sends slowly takes
   * nobody's place. Of one too many, the one that has been arriving for longest is broken off.
   */
  arriving(request: IncomingMessage): void
  /** All of it that is read is here. */
  arrived(request: IncomingMessage): void
  /** Lets a request in, until it has its answer: null. `UNAVAILABLE` for one too many. */
  admit(response: ServerResponse): AppError | null
}

/** @param most - requests under way at the same time, and besides, requests that are arriving. */
export function createLoad({
  most,
  log,
  clock = Date.now,
}: {
  readonly most: number
  readonly log: FastifyBaseLogger
  readonly clock?: () => number
}): Load {
  const counter = gatewayMeter().createCounter('behalf.gateway.requests.shed', {
    description: 'Requests that were refused for there were too many',
    unit: '{request}',
  })
  let running = 0
  let shed = 0
  let loggedAt = 0
  const leave = () => void running--

  /** Once for many: nobody has time to write a line for each. */
  function note(): void {
    counter.add(1)
    shed++
    const now = clock()
    if (now - loggedAt < loggedEveryMs) return
    loggedAt = now
    log.warn({ running, shed }, 'overloaded: requests are refused')
    shed = 0
  }

  const arriving = new Set<IncomingMessage>()

  return {
    arriving(request) {
      if (arriving.size >= most) {
        const [oldest] = arriving
        // Gone from here now, and not once it is closed: two may come before that.
        if (oldest !== undefined) arriving.delete(oldest)
        oldest?.destroy()
      }
      arriving.add(request)
      request.once('close', () => arriving.delete(request))
    },
    arrived: (request) => void arriving.delete(request),
    admit(response) {
      if (running < most) {
        running++
        response.on('close', leave)
        return null
      }
      note()
      return new AppError('UNAVAILABLE', 'There is more to do than can be done now. Try again.', {
        details: { retryAfter: 1 },
      })
    },
  }
}
