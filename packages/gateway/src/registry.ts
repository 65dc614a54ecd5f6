import type { Principal, ToolCall, ToolDefinition, ToolOutcome } from '@behalf/identity'

/** The tools, as chat and MCP see them; `@behalf/tools` is one. What is listed is what runs. */
export interface Registry {
  catalogue(principal: Principal): readonly ToolDefinition[]
  /** @param call - its run is in the principal's actor. */
  call(principal: Principal, call: ToolCall): Promise<ToolOutcome>
}
