import type { Revocations } from '@behalf/identity'
import type { FastifyInstance } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from '../http/admission.ts'
import type { FindDocument } from '../http/documents.ts'
import { createStreamLimits, type StreamLimits } from '../limits/stream-limits.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import type { ClientStream } from './client-stream.ts'
import { inSlices } from './in-slices.ts'
import { createOpenStreams, type OpenStreams } from './open-streams.ts'
import { addStreamRoute, createServeStream, defaultStreamTimes, type StreamTimes } from './stream-route.ts'

/** Serves subscriptions on `app`. Close it before the app, which waits for what is open. */
export function addStreams(
  app: FastifyInstance,
  options: {
    readonly graphs: ServedGraphs
    readonly limits: Partial<StreamLimits & StreamTimes>
    readonly admit: Admit
    readonly findDocument: FindDocument
    readonly guard: RevocationGuard
    readonly revocations: Revocations
    readonly audit: RequestAudit
  },
): Pick<OpenStreams, 'count' | 'close'> {
  const { limits, guard, revocations, ...parts } = options
  const clock = Date.now
  const times = { ...defaultStreamTimes, ...limits }
  const open = createOpenStreams<ClientStream>({ guard, revocations, clock })
  const take = createStreamLimits(limits)
  addStreamRoute(app, createServeStream({ ...parts, open, take, times, clock, log: app.log }))
  // One timer for all of them.
  const heart = setInterval(() => inSlices([...open], (stream) => stream.beat()), times.heartbeatMs).unref()
  return {
    get count() {
      return open.count
    },
    close() {
      clearInterval(heart)
      open.close()
    },
  }
}
