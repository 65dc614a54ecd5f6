import type { AskedApproval, ToolOutcome } from './agent-api.ts'
import type { JsonSchema, ToolDefinition } from './graph.ts'

/** The tools of one caller of the gateway, in one request over MCP: what is listed and what runs is decided there. */
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
  | (Extract<ToolOutcome, { ok: false }> & {
      readonly approval?: AskedApproval & {
        /** A URL, for the user and in no model's hands. */
        readonly decideAt: string
        /** For the next round, if the client can send its user to a page of this approval's own; null where there is none. */
        readonly state: string | null
      }
    })

/** One request over MCP of somebody who was let in: what the protocol is about, and no credential. */
export interface McpRequest {
  readonly method: string
  readonly headers: Readonly<Partial<Record<McpRequestHeader, string>>>
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal
}

export type McpRequestHeader = 'content-type' | 'accept' | 'mcp-protocol-version' | 'mcp-method' | 'mcp-name'

export interface McpAnswer {
  readonly status: number
  readonly headers: Readonly<Partial<Record<'content-type' | 'allow', string>>>
  /** A stream where the client is told of more than the end. */
  readonly body: string | ReadableStream<Uint8Array>
}
