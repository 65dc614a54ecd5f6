import type { Audit, AuditEvent, Delegation, ErrorCode, EventCounter, Ticket } from '@behalf/identity'
import { eventOf } from './record-events.ts'

/** Writes down what workloads that run agents did with tickets and delegations. */
export interface AgentAudit {
  /** A workload token, or a ticket that is none of ours, was refused. */
  refused(code: ErrorCode): void
  /** A ticket was shown that had been redeemed before, or too late. */
  ticketRefused(ticket: Ticket): void
  /** Null for a handle of no delegation that this workload may use. */
  delegationUsed(delegation: Delegation | null, use: { readonly txn: string; readonly workload: string }): void
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
    ticketRefused({ grant }) {
      const who = { ...partOf(grant), txn: grant.parent, parent: null }
      audit.record(eventOf(who, 'delegation.made', { outcome: 'TICKET_REFUSED', detail: { agent: grant.agent } }))
    },
    delegationUsed(delegation, { txn, workload }) {
      if (delegation === null) {
        const nobody = { txn, parent: null, subject: null, tenant: null, actor: null }
        audit.record(eventOf(nobody, 'delegation.used', { outcome: 'DELEGATION_REFUSED', detail: { workload } }))
        return
      }
      const who = { ...partOf(delegation), txn, parent: delegation.parent, actor: delegation.agent }
      audit.record(eventOf(who, 'delegation.used', { target: delegation.id, detail: { workload } }))
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
