import type { AskedApproval, JsonSchema, ToolDefinition, ToolOutcome } from '@behalf/identity'

/** The protocol, which knows nobody and decides nothing; `@behalf/mcp` is one. */
export interface McpEndpoint {
  /**
   * Answers one request of somebody who was let in. Rejects with what `tools` rejected with.
   *
   * @param request - without any credential
   * @param body - of a POST, as JSON
   */
  serve(request: Request, body: unknown, tools: McpTools): Promise<Response>
  close(): Promise<void>
}

/** The tools of one caller, in one request. */
export interface McpTools {
  /** `txn` of the request, which answers name. */
  readonly txn: string
  list(): readonly ToolDefinition[]
  /** Null where there is no such tool for this caller. */
  call(name: string, given: unknown, round: McpRound): Promise<McpOutcome | null>
}

/** What a client has to say of a call beside its arguments, on each round of it. */
export interface McpRound {
  readonly signal: AbortSignal
  /** What it was given with the last one; null on the first. */
  readonly state: string | null
}

/** What became of a call: what a result has to look like, and where the user decides, where they have to. */
export type McpOutcome =
  | (Extract<ToolOutcome, { ok: true }> & { readonly outputSchema: JsonSchema })
  | (Extract<ToolOutcome, { ok: false }> & { readonly approval?: AskedApproval & McpAsked })

export interface McpAsked {
  /** A URL, for the user and in no model's hands. */
  readonly decideAt: string
  /** What a client carries to the next round, if it can send its user to a page for this; null where there is none. */
  readonly state: string | null
}
