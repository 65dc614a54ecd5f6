import type { Approval, ErrorCode, Principal } from '@behalf/identity'
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
}) => Promise<ToolAnswer>

export interface ToolAnswer {
  readonly data: Readonly<Record<string, unknown>> | null
  readonly errors: readonly { readonly code: ErrorCode; readonly message: string }[]
}

export const createExecuteTool =
  (server: GraphQLServer, recordOf: (txn: string) => RequestRecord): ExecuteTool =>
  async ({ principal, tool, scopes, variables, approval, call, txn }) => {
    const contextValue = {
      principal: narrowToTool(principal, { name: tool.name, call, scopes }),
      txn,
      trace: {},
      signal: null,
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
    const { body } = await inSpan('tool call', { attributes }, () =>
      server.executeOperation({ query: tool.operation, variables: { ...variables } }, { contextValue }),
    )
    if (body.kind !== 'single') throw new TypeError('A tool is answered at once.')
    const { data = null, errors = [] } = body.singleResult
    // The server has masked every error: its code is one of the table's.
    return {
      data,
      errors: errors.map(({ message, extensions }) => ({ message, code: extensions?.['code'] as ErrorCode })),
    }
  }
