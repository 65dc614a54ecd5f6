import type { ErrorCode, Principal, ToolDefinition } from '@behalf/identity'

/** The tools, as chat and MCP see them; `@behalf/tools` is one. What is listed is what runs. */
export interface Registry {
  catalogue(principal: Principal): readonly ToolDefinition[]
  call(principal: Principal, call: ToolCall): Promise<ToolOutcome>
}

export interface ToolCall {
  readonly name: string
  /** As the model gave them. */
  readonly arguments: unknown
  /** Id of the call: the same for a repeat. Its run is in the principal's actor. */
  readonly call: string
}

export type ToolOutcome =
  | { readonly ok: true; readonly result: unknown; readonly truncated: boolean }
  | { readonly ok: false; readonly error: { readonly code: ErrorCode; readonly message: string } }
