import type { Audit, AuditEvent, Delegation, ErrorCode, EventCounter, Ticket } from '@behalf/identity'
import { eventOf } from './record-events.ts'

/** Writes down what workloads that run agents did with tickets and delegations. */
export interface AgentAudit {
  /** A workload token, or a ticket that is none of ours, was refused. */
  refused(code: ErrorCode): void
  /** No delegation was made of a ticket of ours: redeemed before, too late, or while nobody can tell what has ended. */
  ticketRefused(ticket: Ticket, code: ErrorCode): void
  /** Whether a delegation may be used; it is null for a handle of none that this workload may use. */
  delegationUsed(
    delegation: Delegation | null,
    use: { readonly txn: string; readonly workload: string; readonly outcome: 'OK' | ErrorCode },
  ): void
}

export function createAgentAudit({
  audit,
  counter,
}: {
  readonly audit: Audit
  readonly counter: EventCounter
}): AgentAudit {
  return {
    refused: (outcome) => counter.count({ what: 'credential.refused', outcome }),
    ticketRefused({ grant }, outcome) {
      const who = { ...partOf(grant), txn: grant.parent, parent: null }
      counter.record(eventOf(who, 'delegation.made', { outcome, detail: { agent: grant.agent } }))
    },
    delegationUsed(delegation, { txn, workload, outcome }) {
      const who =
        delegation === null
          ? { txn, parent: null, subject: null, tenant: null, actor: null }
          : { ...partOf(delegation), txn, parent: delegation.parent, actor: delegation.agent }
      const event = eventOf(who, 'delegation.used', { target: delegation?.id ?? null, outcome, detail: { workload } })
      // What is refused a workload can ask for as often as it likes.
      if (outcome === 'OK') audit.record(event)
      else counter.record(event)
    },
  }
}

const partOf = ({
  subject,
  tenant,
}: Pick<Delegation, 'subject' | 'tenant'>): Pick<AuditEvent, 'subject' | 'tenant' | 'actor'> => ({
  subject,
  tenant,
  actor: null,
})
