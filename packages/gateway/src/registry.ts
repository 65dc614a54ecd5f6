import type { AskedApproval, Principal, ToolRequest, ToolDefinition, ToolOutcome } from '@behalf/identity'

/** The tools, as chat and MCP see them; `@behalf/tools` is one. What is listed is what runs. */
export interface Registry {
  /** With `canGain` also tools for which the caller lacks nothing but scopes they may ask for. */
  catalogue(principal: Principal, txn: string, canGain?: CanGain): readonly ToolDefinition[]
  /**
   * @param call - its run is in the principal's actor.
   * @param txn - of this call, which its execution is a part of.
   */
  call(
    principal: Principal,
    call: ToolRequest,
    txn: string,
    options?: {
      /** Then a call of a tool for which scopes are lacking says which. */
      readonly canGain?: CanGain
      /** What the user was asked in an earlier round of this call. */
      readonly expected?: Pick<AskedApproval, 'id' | 'argumentsHash'>
      /** Aborted when nobody waits for the answer any more. */
      readonly signal?: AbortSignal
    },
  ): Promise<ToolOutcome>
}

/** Whether a caller who lacks a scope can ask for it. */
export type CanGain = (scope: string) => boolean
