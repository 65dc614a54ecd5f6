import type { TraceContext } from '../execute/request-context.ts'
import type { ClientRequest } from './client-request.ts'

/** W3C Trace Context: forwarded only when it has the form of one. */
export function traceOf({ headers: { traceparent, tracestate } }: ClientRequest): TraceContext {
  if (typeof traceparent !== 'string' || !/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent))
    return {}
  return {
    traceparent,
    ...(typeof tracestate === 'string' && /^[\x20-\x7e]{1,512}$/.test(tracestate) && { tracestate }),
  }
}
