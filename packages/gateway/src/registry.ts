import type { Principal, ToolCall, ToolDefinition, ToolOutcome } from '@behalf/identity'

/** The tools, as chat and MCP see them; `@behalf/tools` is one. What is listed is what runs. */
export interface Registry {
  catalogue(principal: Principal, txn: string): readonly ToolDefinition[]
  /**
   * @param call - its run is in the principal's actor.
   * @param txn - of this call, which its execution is a part of.
   */
  call(principal: Principal, call: ToolCall, txn: string): Promise<ToolOutcome>
}
