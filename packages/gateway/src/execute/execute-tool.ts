import { type Approval, type ErrorCode, type ErrorDetails, type Principal, readErrorDetails } from '@behalf/identity'
import type { RequestRecord } from '../audit/request-record.ts'
import { inSpan } from '../tracing.ts'
import { narrowToTool } from '../authenticate/principal.ts'
import type { GraphQLServer } from './graphql-server.ts'

/** Runs a tool's stored operation as the user, with the agent as actor and only the scopes that the tool needs. */
export type ExecuteTool = (execution: {
  readonly principal: Principal
  readonly tool: { readonly name: string; readonly operation: string }
  /** Scopes that this call needs. */
  readonly scopes: readonly string[]
  readonly variables: Readonly<Record<string, unknown>>
  /** Of exactly this call; null where none is needed. */
  readonly approval: Approval | null
  /** Id of the call, under which a subgraph records its effect once. */
  readonly call: string
  /** Of the call as a whole. */
  readonly txn: string
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal | null
}) => Promise<ToolAnswer>

export interface ToolAnswer {
  readonly data: Readonly<Record<string, unknown>> | null
  readonly errors: readonly { readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails }[]
}

export const createExecuteTool =
  (server: GraphQLServer, recordOf: (txn: string) => RequestRecord): ExecuteTool =>
  async ({ principal, tool, scopes, variables, approval, call, txn, signal }) => {
    const context = {
      principal: narrowToTool(principal, { name: tool.name, call, scopes }),
      txn,
      trace: {},
      signal,
      address: null,
      approval,
      record: recordOf(txn),
    }
    const { parent = null } = principal.actor ?? {}
    const attributes = {
      'behalf.txn': txn,
      'behalf.tool': tool.name,
      ...(parent !== null && { 'behalf.parent': parent }),
    }
    const { result } = await inSpan('tool call', { attributes }, () =>
      server.execute({ query: tool.operation, variables: { ...variables } }, context),
    )
    const { data = null, errors = [] } = result
    // The server has masked every error: its code is one of the table's.
    return {
      data,
      errors: errors.map(({ message, extensions }) => ({
        message,
        code: extensions?.['code'] as ErrorCode,
        details: readErrorDetails(extensions),
      })),
    }
  }
