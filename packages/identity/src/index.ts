// This file is the complete public surface of @behalf/identity.
export { AppError, type ErrorDetails } from './app-error.ts'
export { errorTable, type ErrorCode } from './error-table.ts'
export { anonymousSubject, deepFreeze } from './principal.ts'
export type {
  Actor,
  Approval,
  Caller,
  Facts,
  FactValue,
  Identity,
  OperationType,
  Principal,
  Unbranded,
} from './principal.ts'
export { type Audit, type AuditEvent, type AuditKind, auditKinds } from './audit.ts'
export { type Counted, createEventCounter, type EventCounter } from './event-counter.ts'
export type { Policies, Policy, PolicyDecision, PolicyRequest, StepUp } from './policy.ts'
export type { Revocation, RevocationReason, Revoked } from './revocation.ts'
export type { AgentAccess, FieldRule, Graph, GraphSubgraph, JsonSchema, ToolDefinition } from './graph.ts'
export type { Delegation, DelegationGrant, ResolvedSubject, Ticket } from './delegation.ts'
export { agentApiPaths, agentApiTypes, type OfferedTool, type ToolCall, type ToolOutcome } from './agent-api.ts'
export {
  acceptedEpochs,
  deriveContextKeys,
  deriveKey,
  deriveWorkloadKey,
  firstEpoch,
  isReceiverName,
  isRootKey,
} from './keys.ts'
export { scalarPatterns } from './scalar-patterns.ts'
export { contextTokenHeader } from './context-claims.ts'
export {
  createContextSigner,
  disclose,
  type ContextRequest,
  type ContextSigner,
  type ContextSignerOptions,
} from './sign-context.ts'
export { ContextError, createContextVerifier } from './verify-context.ts'
export type {
  ContextVerifier,
  ContextVerifierOptions,
  RequestHead,
  VerifiedBody,
  VerifiedContext,
  VerifiedHead,
} from './verify-context.ts'
export { createWorkloadSigner, createWorkloadVerifier, workloadTokenHeader } from './workload-token.ts'
export type { WorkloadRequest, WorkloadSigner, WorkloadVerifier } from './workload-token.ts'
export {
  identityDirectiveNames,
  identityDirectives,
  identitySpecUrl,
  readFacts,
  readOwnership,
  readRule,
  readSubject,
} from './directives.ts'
export type { DeclaredRule, IdentityClaim, Ownership, ScopeSets } from './directives.ts'
