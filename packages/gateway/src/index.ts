// This file is the complete public surface of @behalf/gateway.
export { createGateway, type Gateway, type GatewayLimits, type GatewayOptions } from './create-gateway.ts'
export type { AgentScopes } from './authenticate/agent-scopes.ts'
export type { IssuerConfig } from './authenticate/issuer.ts'
export type { AuthorizationMode } from './authorize/authorization-mode.ts'
export type { Authority, Limit, Limiter, TakeAnswer } from './authority.ts'
export type { McpEndpoint } from './mcp/mcp-endpoint.ts'
export type { Registry } from './registry.ts'
export type { ExecuteTool, ToolAnswer } from './execute/execute-tool.ts'
