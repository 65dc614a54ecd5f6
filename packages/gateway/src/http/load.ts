import type { ServerResponse } from 'node:http'
import { AppError } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import { gatewayMeter } from '../measure/meter.ts'

const loggedEveryMs = 1000

/** How much there is to do at the same time. */
export interface Load {
  /** Lets a request in, until it has its answer: null. `UNAVAILABLE` for one too many. */
  admit(response: ServerResponse): AppError | null
}

/** @param most - requests under way at the same time. */
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

  return {
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
