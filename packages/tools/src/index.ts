// This file is the complete public surface of @behalf/tools.
export { createRegistry } from './create-registry.ts'
export type { Registry, RegistryOptions, ToolAnswer, ToolExecution } from './create-registry.ts'
export { createArgumentValidator, type ValidatedArguments } from './validate-arguments.ts'
export { type CanGain, grantedScopes } from './granted-scopes.ts'
