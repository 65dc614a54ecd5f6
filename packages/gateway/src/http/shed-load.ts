import type { FastifyInstance } from 'fastify'
import type { Load } from './load.ts'
import type { WriteError } from './refuse.ts'

/** Answered whatever there is to do; streams are counted for themselves, since they are not done soon. */
const always: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz', '/graphql/stream'])

/**
 * Refuses what is more than can be answered soon: as soon as it is here, before anything of it is read. Whoever is let in
 * waits for so many others, and no more.
 */
export function shedLoad(
  app: FastifyInstance,
  { load, writeError }: { readonly load: Load; readonly writeError: WriteError },
): void {
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    load.arriving(raw)
    done()
  })
  // Once its body is here, or will not be read.
  app.addHook('preValidation', (request, reply, done) => {
    load.arrived(request.raw)
    const { config, url } = request.routeOptions
    if (always.has(url)) return done()
    const refusal = load.admit(reply.raw)
    if (refusal === null) return done()
    // Not as an error of the framework's: that is a line in the log for each.
    const { body, headers = {} } = (config.writeError ?? writeError)(refusal, request.id)
    void reply.code(refusal.status).headers(headers).send(body)
  })
}
