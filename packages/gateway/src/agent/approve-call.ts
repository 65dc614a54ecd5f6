import {
  AppError,
  type ApprovalProof,
  type Approval,
  type Approvals,
  type AskedApproval,
  type DelegationGrant,
  type ErrorCode,
  type Principal,
  type StoredApproval,
} from '@behalf/identity'
import type { TicketSealer } from './ticket.ts'

/** A call of a tool that needs an approval, as validated. */
export interface CallToApprove {
  /** An agent under a delegation. */
  readonly principal: Principal
  /** `approval` is the Mutation field that needs it. */
  readonly tool: { readonly name: string; readonly version: string; readonly approval: string }
  readonly argumentsHash: string
  readonly summary: string
  /** Null where the caller gave none: then it is that of an equal call, while the decision about that one stands. */
  readonly call: string | null
  /** Where the call is a further round of one that was asked about: what it was asked. */
  readonly expected?: Pick<AskedApproval, 'id' | 'argumentsHash'> | undefined
  /** Of the call. */
  readonly txn: string
}

/** With what a call runs, or why it does not; `asked` where the user has yet to decide. */
export type ApprovedCall =
  | { readonly approval: Approval; readonly call: string }
  | { readonly code: ErrorCode; readonly asked: AskedApproval | null }

/** Asks the user, or takes what they approved. */
export type ApproveCall = (call: CallToApprove) => Promise<ApprovedCall>

/**
 * One approval is for one call with exactly these arguments, and for that call alone it is taken, once. That it was the
 * user who decided is believed by their ticket, and not because the database says so.
 */
export function createApproveCall(approvals: Approvals, openProof: OpenProof): ApproveCall {
  return async ({ principal, tool, argumentsHash, summary, call: given, expected, txn }) => {
    const { delegation = null, run = null } = principal.actor ?? {}
    if (delegation === null || run === null) return refused('APPROVAL_REQUIRED')
    // Before anybody is asked something new.
    if (expected && expected.argumentsHash !== argumentsHash) return refused('APPROVAL_MISMATCH')
    const call = given ?? (await approvals.standing({ delegation, argumentsHash }))
    const asked = { delegation, run, call, tool: tool.name, toolVersion: tool.version, argumentsHash, summary, txn }
    const stored = await approvals.ask(asked)
    if (stored === null) return refused('DELEGATION_REFUSED')
    if (stored.argumentsHash !== argumentsHash || (expected && expected.id !== stored.id))
      return refused('APPROVAL_MISMATCH')
    const { id, state, proof } = stored
    if (state === 'PENDING') return refused('APPROVAL_REQUIRED', askedApproval(stored))
    if (state === 'REJECTED') return refused('APPROVAL_REJECTED')
    if (state === 'EXPIRED' || proof === null) return refused('APPROVAL_EXPIRED')
    await openProof(proof)
    if (await approvals.use(id, txn)) return { approval: { id, field: tool.approval }, call }
    return refused(state === 'USED' ? 'OUTCOME_UNKNOWN' : 'APPROVAL_EXPIRED')
  }
}

const refused = (code: ErrorCode, asked: AskedApproval | null = null): ApprovedCall => ({ code, asked })

const askedApproval = ({ id, summary, argumentsHash, expiresAt }: StoredApproval): AskedApproval => ({
  id,
  summary,
  argumentsHash,
  expiresAt: expiresAt.toISOString(),
})

/** What the user granted by approving. @throws {AppError} `TICKET_REFUSED` if it was not them, or not this. */
export type OpenProof = (proof: ApprovalProof) => Promise<DelegationGrant>

export const createOpenProof =
  (tickets: Pick<TicketSealer, 'openProof'>): OpenProof =>
  async ({ ticket, resolver, resolvedAt, subject, agent, approval, argumentsHash }) => {
    const { grant, approved } = await tickets.openProof(ticket, resolver, resolvedAt)
    const isThis = approved.some((each) => each.id === approval && each.argumentsHash === argumentsHash)
    if (grant.subject !== subject || !isThis)
      throw new AppError('TICKET_REFUSED', undefined, { cause: `of ${grant.subject}, who approved another call` })
    return { ...grant, agent }
  }
