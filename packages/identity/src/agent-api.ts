import type { JsonSchema } from './graph.ts'

/** Where the gateway's internal port answers a workload that runs agents. Every request is a POST. */
export const agentApiPaths = {
  /** Form-encoded, RFC 8693 2.1: a ticket for the handle of a delegation. */
  token: '/internal/token',
  listTools: '/internal/tools/list',
  callTool: '/internal/tools/call',
} as const

/** What a token exchange is called (RFC 8693 2.1), and the two types of token that are exchanged (section 3). */
export const agentApiTypes = {
  tokenExchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  ticket: 'urn:behalf:params:oauth:token-type:ticket',
  delegation: 'urn:behalf:params:oauth:token-type:delegation',
} as const

/** A tool that the caller may use now, as a model may see it. */
export interface OfferedTool {
  readonly name: string
  readonly title: string
  readonly description: string
  /** Of the arguments a model gives. */
  readonly inputSchema: JsonSchema
  readonly readOnly: boolean
  readonly requiresApproval: boolean
  readonly examples: readonly string[]
}

export interface ToolCall {
  readonly name: string
  /** As the model gave them; anything but a JSON object is refused. */
  readonly arguments: unknown
  /** Under this id an effect happens at most once, however often the call is sent. */
  readonly call: string
}

/** What became of a call. Messages are written for a model; every string in `result` is data, whatever it says. */
export type ToolOutcome =
  | { readonly ok: true; readonly result: unknown; readonly truncated: boolean }
  /** `code` is one of the error table; of a newer one, where reader and gateway differ. */
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string } }
