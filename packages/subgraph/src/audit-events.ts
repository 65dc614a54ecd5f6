import { type AuditEvent, type ErrorCode, type Identity, missingScopes, type RefusalError } from '@behalf/identity'

type Who = 'txn' | 'parent' | 'subject' | 'tenant' | 'actor'

/** An event of this moment in the transaction of `identity`. */
export const eventOf = (
  { txn, subject, tenant, actor }: Identity,
  what: AuditEvent['what'],
  more: Pick<AuditEvent, 'target' | 'outcome'> & Partial<Omit<AuditEvent, Who | 'what'>>,
): AuditEvent => ({
  txn,
  parent: actor?.parent ?? null,
  time: new Date(),
  subject,
  tenant,
  actor: actor?.agent ?? null,
  what,
  rule: null,
  durationMs: null,
  detail: {},
  ...more,
})

/** Whom it was about is not known: a token that is refused is not believed. */
export const refusedContext = (txn: string, outcome: ErrorCode): AuditEvent => ({
  txn,
  parent: null,
  time: new Date(),
  subject: null,
  tenant: null,
  actor: null,
  what: 'context.refused',
  target: null,
  rule: null,
  outcome,
  durationMs: null,
  detail: {},
})

/** A rule of the schema refused what the gateway had let pass. */
export function denied(identity: Identity, { code, coordinate, rule, details }: RefusalError): AuditEvent {
  const missing = missingScopes(identity, details.requiredScopes ?? [])
  const detail = missing.length > 0 ? { missing } : {}
  return eventOf(identity, 'field.denied', { target: coordinate, rule, outcome: code, detail })
}
