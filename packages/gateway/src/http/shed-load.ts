import { AppError } from '@behalf/identity'
import type { FastifyInstance } from 'fastify'
import { gatewayMeter } from '../measure/meter.ts'
import type { WriteError } from './create-app.ts'

/** Answered whatever there is to do; streams are counted for themselves, since they are not done soon. */
const always: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz', '/graphql/stream'])
const loggedEveryMs = 1000

/**
 * Refuses what is more than can be answered soon: at once, before anything of it is read but its head. Whoever is let in
 * waits for so many others, and no more.
 *
 * @param most - requests under way at the same time.
 */
export function shedLoad(
  app: FastifyInstance,
  {
    most,
    writeError,
    clock = Date.now,
  }: { readonly most: number; readonly writeError: WriteError; readonly clock?: () => number },
): void {
  const counter = gatewayMeter().createCounter('behalf.gateway.requests.shed', {
    description: 'Requests that were refused for there were too many',
    unit: '{request}',
  })
  let running = 0
  let shed = 0
  let loggedAt = 0

  /** Once for many: nobody has time to write a line for each. */
  function note(): void {
    counter.add(1)
    shed++
    const now = clock()
    if (now - loggedAt < loggedEveryMs) return
    loggedAt = now
    app.log.warn({ running, shed }, 'overloaded: requests are refused')
    shed = 0
  }

  app.addHook('onRequest', (request, reply, done) => {
    const { config, url } = request.routeOptions
    if (always.has(url)) return done()
    if (running < most) {
      running++
      reply.raw.once('close', () => running--)
      return done()
    }
    note()
    const error = new AppError('UNAVAILABLE', 'There is more to do than can be done now. Try again.', {
      details: { retryAfter: 1 },
    })
    const { body, headers = {} } = (config.writeError ?? writeError)(error, request.id)
    void reply.code(error.status).headers(headers).send(body)
  })
}
