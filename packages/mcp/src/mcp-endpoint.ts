import type { McpOutcome, McpTools, ToolDefinition } from '@behalf/identity'
import {
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  inputRequired,
  type InputRequiredResult,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server'
import { createResultCheck, type ResultCheck } from './result-check.ts'
import { createToolEndpoint, type ServerDescription } from './tool-endpoint.ts'

export interface McpEndpoint {
  /** Rejects with what `tools` rejected with. */
  serve(request: Request, body: unknown, tools: McpTools): Promise<Response>
  close(): Promise<void>
}

/** Of what we add to `_meta`. */
const meta = (name: string) => `dev.behalf/${name}`

/** The gateway's tools over MCP. What it says of them is what composition wrote down; it decides nothing. */
export function createMcpEndpoint(
  description: Omit<ServerDescription, 'extend' | 'verifyState' | 'sessions'>,
): McpEndpoint {
  const endpoint = createToolEndpoint(description)
  const fits = createResultCheck()

  return {
    serve: (request, body, tools) =>
      endpoint.serve(request, body, {
        list: () => tools.list().map(describe),
        async call(name, given, { mcpReq }) {
          const state = mcpReq.requestState<string>() ?? null
          const outcome = await tools.call(name, given, { signal: mcpReq.signal, state })
          if (outcome === null) return null
          if (state !== null && !outcome.ok && outcome.error.code === 'APPROVAL_MISMATCH') throw otherRound()
          const _meta = { [meta('txn')]: tools.txn, ...approvalOf(outcome) }
          return { ...(visit(outcome, mcpReq) ?? resultOf(outcome, fits)), _meta }
        },
      }),
    close: endpoint.close,
  }
}

function describe(tool: ToolDefinition): Tool {
  const { name, title, description, inputSchema, outputSchema, readOnly, approval } = tool
  return {
    name,
    title,
    description,
    inputSchema: inputSchema as Tool['inputSchema'],
    outputSchema,
    annotations: {
      readOnlyHint: readOnly,
      destructiveHint: !readOnly,
      // A repeat of what was approved is answered as the first was.
      idempotentHint: readOnly,
      openWorldHint: false,
    },
    _meta: { [meta('requiresApproval')]: approval !== null },
  }
}

function resultOf(outcome: McpOutcome, fits: ResultCheck): CallToolResult {
  if (!outcome.ok) return { isError: true, content: [text(failureText(outcome))] }
  const { result, truncated, outputSchema } = outcome
  // A client would refuse it all.
  if (!fits(outputSchema, result))
    return {
      isError: true,
      content: [
        text(
          'TOOL_FAILED: The result cannot be shown. If the tool changes something, that has happened: do not repeat it.',
        ),
      ],
    }
  return {
    structuredContent: result,
    content: [
      text(JSON.stringify(result)),
      ...(truncated ? [text('Items were left out at the end of a list. Ask for the next page, or for less.')] : []),
    ],
  }
}

/** For a model, and for whoever reads along: which code it is, what to do about it, and where. */
function failureText({ error, approval }: Extract<McpOutcome, { ok: false }>): string {
  const said = `${error.code}: ${error.message}`
  if (!approval) return said
  const { id, summary, expiresAt, decideAt } = approval
  return [
    said,
    `What will be done: ${summary}`,
    `Approval ${id}, to be decided by ${expiresAt} at ${decideAt} by the user, who is asked there and cannot be answered for.`,
    'Nothing has been done. After the decision, call this tool again with the same arguments: it is then done once.',
  ].join('\n')
}

/** One answer, whatever is wrong with it. */
const otherRound = () =>
  new ProtocolError(
    ProtocolErrorCode.InvalidParams,
    'The requestState is not that of this call, or its time is over. Call the tool without it.',
    { reason: 'invalid_request_state' },
  )

/**
 * Sends the user to where they decide, if the client can do that for us (2026-07-28: elicitation in mode "url"). What it answers
 * then decides nothing; where its user would not go, it is told in a result like every other.
 */
function visit(outcome: McpOutcome, { envelope, inputResponses }: ServerContext['mcpReq']): InputRequiredResult | null {
  if (outcome.ok || !outcome.approval || outcome.approval.state === null) return null
  const { [CLIENT_CAPABILITIES_META_KEY]: capabilities } = (envelope ?? {}) as { [key: string]: ClientCapabilities }
  if (!capabilities?.elicitation?.url) return null
  const { action = 'accept' } = (inputResponses?.[approvalInput] ?? {}) as { action?: unknown }
  if (action !== 'accept') return null
  const { summary, decideAt, state } = outcome.approval
  const message = `This needs your approval: ${summary}`
  return inputRequired({
    inputRequests: { [approvalInput]: inputRequired.elicitUrl({ message, url: decideAt }) },
    requestState: state,
  })
}
const approvalInput = 'approval'

function approvalOf(outcome: McpOutcome): Record<string, unknown> {
  if (outcome.ok || !outcome.approval) return {}
  const { id, summary, expiresAt, decideAt } = outcome.approval
  return { [meta('approval')]: { id, summary, expiresAt, decideAt } }
}

const text = (words: string) => ({ type: 'text' as const, text: words })
