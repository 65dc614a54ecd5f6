import type { McpAnswer, McpOutcome, McpRequest, ToolDefinition } from '@behalf/identity'
import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  inputRequired,
  type InputRequiredResult,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server'
import { metaOf, ownMeta, type ResultOf } from './call-result.ts'
import type { McpEndpoint } from './mcp-endpoint.ts'
import { createToolEndpoint, type ServerDescription } from './tool-endpoint.ts'

/** Every request as the SDK answers it, whatever it is. */
export function createSdkEndpoint(description: ServerDescription, resultOf: ResultOf): McpEndpoint {
  const endpoint = createToolEndpoint(description)

  return {
    async serve(request, body, tools) {
      const response = await endpoint.serve(toWebRequest(request), body, {
        list: () => tools.list().map(describe),
        async call(name, given, { mcpReq }) {
          const state = mcpReq.requestState<string>() ?? null
          const outcome = await tools.call(name, given, { signal: mcpReq.signal, state })
          if (outcome === null) return null
          if (state !== null && !outcome.ok && outcome.error.code === 'APPROVAL_MISMATCH') throw otherRound()
          return visit(outcome, tools.txn, mcpReq) ?? resultOf(outcome, tools.txn)
        },
      })
      return toAnswer(response)
    },
    close: endpoint.close,
  }
}

function toWebRequest({ method, headers: given, signal }: McpRequest): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given)) if (value !== undefined) headers.set(name, value)
  return new Request('http://gateway/mcp', { method, headers, signal })
}

async function toAnswer(response: Response): Promise<McpAnswer> {
  const headers: { [name in 'content-type' | 'allow']?: string } = {}
  for (const name of ['content-type', 'allow'] as const) {
    const value = response.headers.get(name)
    if (value !== null) headers[name] = value
  }
  const { status, body } = response
  const isStream = body !== null && headers['content-type'] === 'text/event-stream'
  return { status, headers, body: isStream ? body : await response.text() }
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
    _meta: { [ownMeta('requiresApproval')]: approval !== null },
  }
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
function visit(
  outcome: McpOutcome,
  txn: string,
  { envelope, inputResponses }: ServerContext['mcpReq'],
): InputRequiredResult | null {
  if (outcome.ok || !outcome.approval || outcome.approval.state === null) return null
  const { [CLIENT_CAPABILITIES_META_KEY]: capabilities } = (envelope ?? {}) as { [key: string]: ClientCapabilities }
  if (!capabilities?.elicitation?.url) return null
  const { action = 'accept' } = (inputResponses?.[approvalInput] ?? {}) as { action?: unknown }
  if (action !== 'accept') return null
  const { summary, decideAt, state } = outcome.approval
  const message = `This needs your approval: ${summary}`
  const asked = inputRequired({
    inputRequests: { [approvalInput]: inputRequired.elicitUrl({ message, url: decideAt }) },
    requestState: state,
  })
  return { ...asked, _meta: metaOf(outcome, txn) }
}
const approvalInput = 'approval'
