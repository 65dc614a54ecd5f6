import type { ErrorDetails } from './error-details.ts'
import type { JsonSchema } from './graph.ts'

/** Where the gateway's internal port answers a workload that runs agents. Every request is a POST. */
export const agentApiPaths = {
  /** Form-encoded, RFC 8693 2.1: a ticket for the handle of a delegation. */
  token: '/internal/token',
  listTools: '/internal/tools/list',
  callTool: '/internal/tools/call',
  /** Waits while a delegation is in force: `{ delegation, run }` for `{ inForce: true }`, or why it is not. */
  watchDelegation: '/internal/delegations/watch',
  /** `{ delegation, run, sha256 }` of a request to the model server for `{ token }`; 404 where that is off. */
  modelContext: '/internal/model/context',
  /** Waits for what users decided: `{ after }` for `{ resolutions }`. */
  resolvedApprovals: '/internal/approvals/resolved',
} as const

/** What a token exchange is called (RFC 8693 2.1), and the two types of token that are exchanged (section 3). */
export const agentApiTypes = {
  tokenExchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  ticket: 'urn:behalf:params:oauth:token-type:ticket',
  delegation: 'urn:behalf:params:oauth:token-type:delegation',
} as const

/** As whom a model server verifies its context tokens. No subgraph can be called so. */
export const modelReceiver = 'model'

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

export interface ToolRequest {
  readonly name: string
  /** As the model gave them; anything but a JSON object is refused. */
  readonly arguments: unknown
  /**
   * Under this id an effect happens at most once, however often the call is sent. Null where the caller has none to give:
   * then the same tool with the same arguments is the same call, for as long as its user's decision stands.
   */
  readonly call: string | null
}

/** A call with an id of its own. */
export interface ToolCall extends ToolRequest {
  readonly call: string
}

/** What became of a call. Messages are written for a model; every string in `result` is data, whatever it says. */
export type ToolOutcome =
  | { readonly ok: true; readonly result: unknown; readonly truncated: boolean }
  /**
   * `code` is one of the error table; of a newer one, where reader and gateway differ. With `APPROVAL_REQUIRED` comes
   * what the user is asked: the same call, sent again once they have decided, runs.
   */
  | {
      readonly ok: false
      readonly error: { readonly code: string; readonly message: string; readonly details?: ErrorDetails }
      readonly approval?: AskedApproval
    }

/** What a user is asked before a call runs. */
export interface AskedApproval {
  /** `apr_...` */
  readonly id: string
  /** For the user: no text of a model's but the values of arguments, each quoted. */
  readonly summary: string
  /** base64url SHA-256 of the RFC 8785 form of `{ tool, toolVersion, arguments }`; whoever approves repeats it. */
  readonly argumentsHash: string
  /** ISO 8601 */
  readonly expiresAt: string
}

/** `EXPIRED` is what was not decided, or not done, in time; and what ended with its delegation. */
export type ApprovalState = 'PENDING' | 'APPROVED' | 'REJECTED' | 'USED' | 'EXPIRED'

/** What became of an approval that a run waits for. */
export interface ResolvedApproval {
  /** Counts up; one that is seen has all earlier ones before it. */
  readonly sequence: number
  /** `apr_...` */
  readonly approval: string
  readonly run: string
  readonly call: string
  /** `EXPIRED` where its delegation was ended. Who waits counts the time itself, by `expiresAt`. */
  readonly state: Exclude<ApprovalState, 'PENDING'>
}
