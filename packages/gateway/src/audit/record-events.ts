import type { AuditEvent, Principal } from '@behalf/identity'
import type { RequestRecord } from './request-record.ts'

/** Who did something, and as part of what. */
type Who = Pick<AuditEvent, 'txn' | 'parent' | 'subject' | 'tenant' | 'actor'>

export const whoIs = (principal: Pick<Principal, 'subject' | 'tenant' | 'actor'>, txn: string): Who => ({
  txn,
  parent: principal.actor?.parent ?? null,
  subject: principal.subject,
  tenant: principal.tenant,
  actor: principal.actor?.agent ?? null,
})

/** An event of this moment, which is about nothing in particular. */
export const eventOf = (
  who: Who,
  what: AuditEvent['what'],
  more: Partial<Omit<AuditEvent, keyof Who | 'what'>> = {},
): AuditEvent => ({
  ...who,
  time: new Date(),
  what,
  target: null,
  rule: null,
  outcome: 'OK',
  durationMs: null,
  detail: {},
  ...more,
})

/** What was executed, and what each receiver was told. */
export const executionOf = ({ operation, cost, hops, unlistedHops, unlistedDenials }: RequestRecord) => ({
  ...(operation && { operation: operation.type, ...(operation.name !== null && { name: operation.name }) }),
  ...(cost !== null && { cost }),
  hops,
  ...(unlistedHops > 0 && { unlistedHops }),
  ...(unlistedDenials > 0 && { unlistedDenials }),
})

/** One event for each field that was withheld. */
export const denialsOf = ({ denials, time }: RequestRecord, who: Who): AuditEvent[] =>
  denials.map((denial) =>
    eventOf(who, 'field.denied', {
      time,
      target: denial.coordinate,
      rule: denial.rule,
      outcome: denial.code,
      detail: denial.missing.length > 0 ? { missing: denial.missing } : {},
    }),
  )
