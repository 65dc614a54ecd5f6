// The subpath @behalf/subgraph/trust: resolvers for what users let agents do, in whichever subgraph shows it to them.
export { approvalById, approvalsOf, resolveApproval, type Resolution } from './trust/approvals.ts'
export { auditEvents } from './trust/audit-events.ts'
export { delegationById, delegationsOf, revokeDelegation } from './trust/delegations.ts'
export type { TrustContext } from './trust/trust-database.ts'
