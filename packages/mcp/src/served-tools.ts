import { type ErrorCode, errorTable, type Identity, type JsonSchema, type ScopeSets } from '@behalf/identity'
import { createArgumentValidator } from '@behalf/tools'
import type { CallToolResult, InputRequiredResult, ServerContext, Tool } from '@modelcontextprotocol/server'
import { type NotSubject, problemsOfInput } from './prove-schema.ts'
import { createResultCheck } from './result-check.ts'
import type { OfferedTools } from './tool-endpoint.ts'

/** A tool of a server inside the trust domain. For whom it acts is in the identity, and in none of its arguments. */
export interface ServedTool {
  readonly name: string
  readonly title: string
  readonly description: string
  /** JSON Schema 2020-12 of the arguments: closed, with every input named. */
  readonly inputSchema: JsonSchema
  /** Of `structuredContent`. */
  readonly outputSchema?: JsonSchema
  /** Whether a call changes nothing. */
  readonly readOnly: boolean
  /** Without all scopes of one of these, the tool does not exist for a caller. Default: none are asked for. */
  readonly scopes?: ScopeSets
  /** What an agent may do. Default: what changes nothing ALLOW, else APPROVE. */
  readonly agent?: 'ALLOW' | 'APPROVE' | 'DENY'
  readonly notSubject?: NotSubject
  /**
   * @param values - as validated
   * @param context - of the SDK: progress, cancellation
   */
  readonly run: (
    values: Readonly<Record<string, unknown>>,
    caller: { readonly identity: Identity },
    context: ServerContext,
  ) => Promise<CallToolResult | InputRequiredResult>
}

export interface ServedTools {
  /** Whether a message asks for something to be changed: then its context token has to be one of a mutation. */
  changes(message: unknown): boolean
  of(identity: Identity): OfferedTools
}

/** @throws {TypeError} that names every fault of every tool. */
export function createServedTools(tools: readonly ServedTool[]): ServedTools {
  const faults = tools.flatMap((tool, index) => [
    ...problemsOfInput(tool.inputSchema, tool.notSubject).map((problem) => `${tool.name}: ${problem}.`),
    ...(tools.findIndex(({ name }) => name === tool.name) < index ? [`${tool.name}: there are two of this name.`] : []),
  ])
  if (faults.length > 0) throw new TypeError(`Tools cannot be served:\n${faults.join('\n')}`)
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  const validate = createArgumentValidator(tools)
  const fits = createResultCheck()

  return {
    changes(message) {
      const { method, params } = message as { method?: unknown; params?: { name?: unknown } | null }
      if (method !== 'tools/call') return false
      return byName.get(String(params?.name))?.readOnly === false
    },
    of: (identity) => ({
      list: () => tools.filter((tool) => isFor(tool, identity)).map(describe),
      async call(name, given, context) {
        const tool = byName.get(name)
        if (!tool || !isFor(tool, identity)) return null
        if (identity.actor !== null && accessOf(tool) === 'APPROVE' && identity.approval?.field !== name)
          return failed('APPROVAL_REQUIRED')
        const checked = validate(tool, given)
        if (!checked.valid) return failed('TOOL_ARGUMENTS_INVALID', checked.reason)
        const result = await tool.run(checked.values, { identity }, context)
        if (
          tool.outputSchema &&
          'content' in result &&
          !result.isError &&
          !fits(tool.outputSchema, result.structuredContent)
        )
          return failed('TOOL_FAILED')
        return result
      },
    }),
  }
}

/** The one predicate behind listing and calling. */
function isFor(tool: ServedTool, { scopes, actor }: Identity): boolean {
  if (actor !== null && accessOf(tool) === 'DENY') return false
  const sets = tool.scopes ?? []
  return sets.length === 0 || sets.some((set) => set.length > 0 && set.every((scope) => scopes.includes(scope)))
}

const accessOf = ({ agent, readOnly }: ServedTool) => agent ?? (readOnly ? 'ALLOW' : 'APPROVE')

const describe = ({ name, title, description, inputSchema, outputSchema, readOnly }: ServedTool): Tool => ({
  name,
  title,
  description,
  inputSchema: inputSchema as Tool['inputSchema'],
  ...(outputSchema && { outputSchema }),
  annotations: { readOnlyHint: readOnly, destructiveHint: !readOnly },
})

function failed(code: ErrorCode, reason?: string): CallToolResult {
  const words = errorTable[code].model ?? errorTable.TOOL_FAILED.model
  const text = reason === undefined ? words : `${words.replace(/\.$/, '')}: ${reason}.`
  return { isError: true, content: [{ type: 'text', text: `${code}: ${text}` }] }
}
