import { AppError } from '@behalf/identity'
import { SpanKind } from '@opentelemetry/api'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { ignoredHeaders } from '../audit/ignored-headers.ts'
import { RequestRecord } from '../audit/request-record.ts'
import { inSpan, traceOfClient } from '../tracing.ts'
import type { Admit } from './admission.ts'
import type { ClientRequest } from './client-request.ts'
import { traceOf } from './trace-of.ts'

/** Lets whoever asks in, has them answered, and records what became of it. */
export type AnswerRecorded = <T>(
  request: ClientRequest,
  answer: (
    caller: Awaited<ReturnType<Admit>> & { readonly record: RequestRecord },
  ) => Promise<{ readonly status: number; readonly body: T }>,
) => Promise<T>

/** A span of the client's trace, if it has one, and an event. The span's attributes name the transaction, and nobody. */
export function createAnswerRecorded(options: {
  readonly admit: Admit
  readonly audit: RequestAudit
  readonly resource: Parameters<Admit>[1]
}): AnswerRecorded {
  const { admit, audit, resource } = options
  const route = `/${resource}`

  return async (request, answer) => {
    const { id: txn, method } = request
    const attributes = { 'behalf.txn': txn, 'http.request.method': method, 'http.route': route }
    const parent = traceOfClient(traceOf(request))
    return inSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes, parent }, async (span) => {
      const record = new RequestRecord(txn)
      const ignored = ignoredHeaders(request.raw.rawHeaders)
      const admitted = await inSpan('admit', {}, () => admit(request, resource))
      let status = 500
      try {
        const answered = await answer({ ...admitted, record })
        status = answered.status
        return answered.body
      } catch (error) {
        const { code, status: failed } = error instanceof AppError ? error : new AppError('INTERNAL')
        record.refusal = code
        status = failed
        throw error
      } finally {
        span.setAttribute('http.response.status_code', status)
        if (record.operation) span.setAttribute('graphql.operation.type', record.operation.type)
        audit.ended(record, admitted.principal, { status, ignoredHeaders: ignored })
      }
    })
  }
}
