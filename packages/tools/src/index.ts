// This file is the complete public surface of @behalf/tools.
export { createRegistry } from './create-registry.ts'
export type { Registry, RegistryOptions, ToolAnswer, ToolCall, ToolExecution } from './create-registry.ts'
export { grantedScopes } from './granted-scopes.ts'
export type { ToolOutcome } from './tool-outcome.ts'
