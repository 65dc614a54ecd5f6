import type { Revocations } from '@behalf/identity'
import type { FastifyInstance } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import type { Admit } from '../http/admission.ts'
import type { FindDocument } from '../http/documents.ts'
import { createStreamLimits, type StreamLimits } from '../limits/stream-limits.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import { createOpenStreams, type OpenStreams } from './open-streams.ts'
import { addStreamRoute, defaultStreamTimes, type StreamTimes } from './stream-route.ts'

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
  const { limits, guard, revocations, ...route } = options
  const open = createOpenStreams({ guard, revocations })
  addStreamRoute(app, {
    ...route,
    open,
    take: createStreamLimits(limits),
    times: { ...defaultStreamTimes, ...limits },
  })
  return open
}
