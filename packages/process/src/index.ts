// This file is the complete public surface of @behalf/process.
export { createLog, type Logger } from './create-log.ts'
export { endUnused } from './end-unused.ts'
export { logLevel, type LogLevel } from './log-level.ts'
export { otlpEndpoint } from './otlp-endpoint.ts'
export { port } from './port.ts'
export { postgresUrl } from './postgres-url.ts'
export { ConfigurationError, readEnvironment, type Environment } from './read-environment.ts'
export { runProcess, type ProcessLife } from './run-process.ts'
