import type { McpOutcome } from '@behalf/identity'
import type { CallToolResult } from '@modelcontextprotocol/server'
import { createResultCheck } from './result-check.ts'

/** What became of a call, in the transaction `txn`, as a client is told. */
export type ResultOf = (outcome: McpOutcome, txn: string) => CallToolResult

export function createResultOf(): ResultOf {
  const fits = createResultCheck()
  return (outcome, txn) => {
    const _meta = metaOf(outcome, txn)
    if (!outcome.ok) return { _meta, isError: true, content: [text(failureText(outcome))] }
    const { result, truncated, outputSchema } = outcome
    // A client would refuse it all.
    if (!fits(outputSchema, result)) return { _meta, isError: true, content: [text(notShown)] }
    return {
      _meta,
      structuredContent: result,
      content: [text(JSON.stringify(result)), ...(truncated ? [text(leftOut)] : [])],
    }
  }
}

const notShown =
  'TOOL_FAILED: The result cannot be shown. If the tool changes something, that has happened: do not repeat it.'
const leftOut = 'Items were left out at the end of a list. Ask for the next page, or for less.'

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

/** What we add to an answer. */
export function metaOf(outcome: McpOutcome, txn: string): Record<string, unknown> {
  const named = { [ownMeta('txn')]: txn }
  if (outcome.ok || !outcome.approval) return named
  const { id, summary, expiresAt, decideAt } = outcome.approval
  return { ...named, [ownMeta('approval')]: { id, summary, expiresAt, decideAt } }
}

/** A name of ours in `_meta`. */
export const ownMeta = (name: string) => `dev.behalf/${name}`

const text = (words: string) => ({ type: 'text' as const, text: words })
