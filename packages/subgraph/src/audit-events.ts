import type { AppError, AuditEvent, ErrorCode, Identity } from '@behalf/identity'

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

const denials: ReadonlySet<string> = new Set<ErrorCode>([
  'UNAUTHENTICATED',
  'UNAUTHORIZED_FIELD_OR_TYPE',
  'STEP_UP_REQUIRED',
  'AGENT_DENIED',
  'APPROVAL_REQUIRED',
])

/** Whether a rule of the schema refused it, and not the resolver's own work. */
export const isDenial = ({ code }: AppError): boolean => denials.has(code)
