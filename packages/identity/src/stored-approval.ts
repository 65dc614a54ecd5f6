import type { ApprovalState, ResolvedApproval } from './agent-api.ts'
import type { DelegationGrant } from './delegation.ts'

/** A call that needs the approval of the user under whose delegation it is made. */
export interface ApprovalRequest {
  /** `dlg_...` */
  readonly delegation: string
  readonly run: string
  /** One approval is for one call. */
  readonly call: string
  readonly tool: string
  readonly toolVersion: string
  readonly argumentsHash: string
  readonly summary: string
  /** Of the call. */
  readonly txn: string
}

/** What proves that a user approved: nobody but the gateway can read or make the ticket. */
export interface ApprovalProof {
  /** `dlg_...`, and whom it is of. */
  readonly delegation: string
  readonly subject: string
  readonly agent: string
  /** `apr_...` */
  readonly approval: string
  readonly argumentsHash: string
  readonly ticket: string
  /** The role of the database that stored the decision: the subgraph that the ticket has to be made for. */
  readonly resolver: string
  /** By the clock of the database. */
  readonly resolvedAt: Date
}

export interface StoredApproval {
  /** `apr_...` */
  readonly id: string
  readonly argumentsHash: string
  readonly summary: string
  readonly state: ApprovalState
  /** Until when it can be decided; once approved, until when it can be used. */
  readonly expiresAt: Date
  /** Null unless it was approved. */
  readonly proof: ApprovalProof | null
}

/** What users are asked for and decided, kept for all replicas. */
export interface Approvals {
  /**
   * The approval of a call, asked for now unless it was before; whatever became of it, it is the same one. Null where
   * the delegation is not in force.
   */
  ask(request: ApprovalRequest): Promise<StoredApproval | null>
  /**
   * Takes what was approved, for its call: that one may be sent again for 15 minutes, since it takes effect once.
   * False for what was not approved, or is over.
   */
  use(id: string, txn: string): Promise<boolean>
  /** What was approved by the user of this handle, of one of these agents, and would renew it; null if nothing would. */
  renewable(handle: string, agents: readonly string[]): Promise<ApprovalProof | null>
  /** Gives a delegation the rights of `grant`, for 15 minutes from when that was given. */
  renew(proof: ApprovalProof, grant: DelegationGrant): Promise<void>
  /** What was decided or ended after `after`, of these agents: at once where there is any, else when there is, or `signal` says that nobody waits. */
  resolved(after: number, agents: readonly string[], signal: AbortSignal): Promise<readonly ResolvedApproval[]>
}
