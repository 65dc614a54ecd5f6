// This file is the complete public surface of @behalf/mcp.
export { createMcpEndpoint, type McpEndpoint } from './mcp-endpoint.ts'
export { createToolServer, type ToolServer, type ToolServerOptions } from './tool-server.ts'
export type { ServedTool } from './served-tools.ts'
export type { ServerDescription } from './tool-endpoint.ts'
