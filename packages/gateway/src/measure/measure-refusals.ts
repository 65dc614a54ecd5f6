import { type ErrorCode, errorTable } from '@behalf/identity'
import type { Attributes } from '@opentelemetry/api'
import type { RequestAudit } from '../audit/audit-requests.ts'
import type { Limiter } from '../authority.ts'
import { gatewayMeter, isMeasured } from './meter.ts'

/** Counts what the audit is told of, by codes of the error table. */
export function measureRefusals(audit: RequestAudit): RequestAudit {
  if (!isMeasured()) return audit
  const requests = gatewayMeter().createCounter('behalf.gateway.requests.refused', {
    description: 'Requests and streams that were refused, or ended for a reason',
    unit: '{request}',
  })
  const fields = gatewayMeter().createCounter('behalf.gateway.fields.denied', {
    description: 'Fields that were withheld before anything was planned',
    unit: '{field}',
  })
  return {
    ended(record, principal, end) {
      audit.ended(record, principal, end)
      if (record.refusal !== null) requests.add(1, attributesOf(record.refusal))
      for (const { code } of record.denials) fields.add(1, attributesOf(code))
    },
    refused(code, ignoredHeaders, principal) {
      audit.refused(code, ignoredHeaders, principal)
      requests.add(1, attributesOf(code))
    },
  }
}

/** Counts what was asked for beyond a limit, by the limit's name. */
export function measureLimits(limiter: Limiter): Limiter {
  if (!isMeasured()) return limiter
  const exceeded = gatewayMeter().createCounter('behalf.gateway.limits.exceeded', {
    description: 'Requests, costs and calls that were over a rate limit',
    unit: '{request}',
  })
  return {
    take(limit, key, points) {
      const answer = limiter.take(limit, key, points)
      const note = ({ ok }: Awaited<typeof answer>) => {
        if (!ok) exceeded.add(1, { 'behalf.limit': limit.name })
      }
      if (answer instanceof Promise) return answer.then((taken) => (note(taken), taken))
      note(answer)
      return answer
    },
  }
}

const byCode = new Map<string, Attributes>(Object.keys(errorTable).map((code) => [code, { 'behalf.code': code }]))
const other: Attributes = { 'behalf.code': 'INTERNAL' satisfies ErrorCode }

/** Of codes that are not in the table there could be any number. */
const attributesOf = (code: string): Attributes => byCode.get(code) ?? other
