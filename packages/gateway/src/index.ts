// This file is the complete public surface of @behalf/gateway.
export { createGateway, type Gateway, type GatewayLimits, type GatewayOptions } from './create-gateway.ts'
export type { IssuerConfig } from './authenticate/issuer.ts'
export type { Authority, Delegation, DelegationGrant, ResolvedSubject, Ticket } from './authority.ts'
export type { Registry, ToolCall, ToolOutcome } from './registry.ts'
export type { ExecuteTool, ToolExecution } from './execute/execute-tool.ts'
