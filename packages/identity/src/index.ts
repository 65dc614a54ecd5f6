// This file is the complete public surface of @behalf/identity.
export { AppError } from './app-error.ts'
export { errorTable, type ErrorCode } from './error-table.ts'
export { anonymousSubject, deepFreeze } from './principal.ts'
export type { Actor, Approval, Facts, FactValue, Identity, OperationType, Principal } from './principal.ts'
export type { AgentAccess, FieldRule, Graph, GraphSubgraph, JsonSchema, ToolDefinition } from './graph.ts'
