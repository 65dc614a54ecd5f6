// This file is the complete public surface of @behalf/identity.
export { AppError } from './app-error.ts'
export { type ErrorDetails, readErrorDetails } from './error-details.ts'
export { errorTable, type ErrorCode } from './error-table.ts'
export { anonymousSubject, deepFreeze, inCall, outsideCall } from './principal.ts'
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
export { requirePolicies } from './policy.ts'
export type { Policies, Policy, PolicyDecision, PolicyRequest, StepUp } from './policy.ts'
export { isEndedBy } from './revocation.ts'
export type { Revocable, Revocation, RevocationReason, Revocations, Revoked } from './revocation.ts'
export { signedInAs, signedInWithin } from './sign-in-policies.ts'
export { createPolicyDecisions, type PolicyDecisions } from './decide-policies.ts'
export { createRefusal, type Refusal, type RefusalCode, RefusalError, refusalOf } from './refusal.ts'
export { holdsOneOf, missingScopes, policyText, requiresScopesText } from './scope-sets.ts'
export { readClaim } from './read-claim.ts'
export { createSubjectBinders } from './bind-subjects.ts'
export type { BindSubjects, BoundArguments, SubjectInputs, SubjectRule } from './bind-subjects.ts'
export type { AgentAccess, FieldRule, Graph, GraphSubgraph, JsonSchema, ToolDefinition } from './graph.ts'
export type {
  ApprovedHash,
  Delegation,
  DelegationGrant,
  Proof,
  ResolvedSubject,
  Ticket,
  UsedDelegation,
} from './delegation.ts'
export { agentApiPaths, agentApiTypes, modelReceiver } from './agent-api.ts'
export type {
  ApprovalState,
  AskedApproval,
  OfferedTool,
  ResolvedApproval,
  ToolCall,
  ToolOutcome,
  ToolRequest,
} from './agent-api.ts'
export type { McpAnswer, McpOutcome, McpRequest, McpRequestHeader, McpRound, McpTools } from './mcp-tools.ts'
export type { ApprovalProof, ApprovalRequest, Approvals, StoredApproval } from './stored-approval.ts'
export {
  acceptedEpochs,
  deriveContextKeys,
  deriveKey,
  deriveWorkloadKey,
  firstEpoch,
  isReceiverName,
  isRootKey,
} from './keys.ts'
export { snakeCase, subjectNames } from './subject-names.ts'
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
