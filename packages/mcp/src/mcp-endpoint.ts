import type { McpAnswer, McpOutcome, McpRequest, McpTools } from '@behalf/identity'
import { type CallToolResult, SERVER_INFO_META_KEY } from '@modelcontextprotocol/server'
import { createResultOf } from './call-result.ts'
import { createReadPlainCall, type PlainCall } from './plain-call.ts'
import { createSdkEndpoint } from './sdk-endpoint.ts'
import type { ServerDescription } from './tool-endpoint.ts'

export interface McpEndpoint {
  /**
   * Rejects with what `tools` rejected with.
   *
   * @param body - of a POST, as JSON
   */
  serve(request: McpRequest, body: unknown, tools: McpTools): Promise<McpAnswer>
  close(): Promise<void>
}

/**
 * The gateway's tools over MCP. What it says of them is what composition wrote down; it decides nothing. The protocol is the
 * SDK's; a call that needs nothing of it but its form, and its result, are read and written here.
 */
export function createMcpEndpoint(
  description: Omit<ServerDescription, 'extend' | 'verifyState' | 'sessions'>,
): McpEndpoint {
  const resultOf = createResultOf()
  const sdk = createSdkEndpoint(description, resultOf)
  const readPlainCall = createReadPlainCall()
  const serverInfo = { name: description.name, version: description.version }

  const serverMember = `${JSON.stringify(SERVER_INFO_META_KEY)}:${JSON.stringify(serverInfo)}`

  /** As the SDK answers: tests hold the two equal. */
  function answerOf(
    { id, isModern }: PlainCall,
    { _meta, structuredContent, content, isError }: CallToolResult,
  ): McpAnswer {
    // Of what is structured, the first text is the JSON.
    const [text] = content
    const structured =
      structuredContent !== undefined && text?.type === 'text' ? `"structuredContent":${text.text},` : ''
    const failed = isError === undefined ? '' : `"isError":${isError},`
    const meta = JSON.stringify(_meta)
    const more = isModern ? `${meta.slice(0, -1)},${serverMember}},"resultType":"complete"` : meta
    const result = `{${structured}${failed}"content":${JSON.stringify(content)},"_meta":${more}}`
    const message = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`
    return isModern
      ? { status: 200, headers: json, body: message }
      : { status: 200, headers: events, body: `event: message\ndata: ${message}\n\n` }
  }

  return {
    async serve(request, body, tools) {
      const { signal } = request
      const call = signal.aborted ? null : readPlainCall(request, body)
      if (call === null) return sdk.serve(request, body, tools)
      const outcome = await tools.call(call.name, call.given, { signal, state: null })
      const isResult = call.isModern ? isResultOfToday : isEarlierResult
      if (isResult(outcome) && !signal.aborted) return answerOf(call, resultOf(outcome, tools.txn))
      return sdk.serve(request, body, { ...tools, call: async () => outcome })
    },
    close: sdk.close,
  }
}

const json = { 'content-type': 'application/json' } as const
const events = { 'content-type': 'text/event-stream' } as const

/** Neither that there is no such tool, nor what the client may first have to do. */
const isResultOfToday = (outcome: McpOutcome | null): outcome is McpOutcome =>
  outcome !== null && (outcome.ok || (outcome.approval?.state ?? null) === null)

/** Nobody is sent to a page; and what is structured was only ever an object. */
const isEarlierResult = (outcome: McpOutcome | null): outcome is McpOutcome =>
  outcome !== null && (!outcome.ok || (isRecord(outcome.result) && !Object.hasOwn(outcome.result, '__proto__')))

const isRecord = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
