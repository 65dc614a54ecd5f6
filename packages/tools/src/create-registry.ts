import type { ErrorCode, Principal, ToolCall, ToolDefinition, ToolOutcome } from '@behalf/identity'
import { grantedScopes } from './granted-scopes.ts'
import { shapeResult } from './shape-result.ts'
import { codeOfThrown, failure } from './tool-outcome.ts'
import { createArgumentValidator } from './validate-arguments.ts'

/** What the gateway is asked to do: run the tool's stored operation, as the caller, with these scopes and no others. */
export interface ToolExecution {
  readonly principal: Principal
  readonly tool: ToolDefinition
  readonly variables: Readonly<Record<string, unknown>>
  /** The caller's scopes, narrowed to what the tool needs. */
  readonly scopes: readonly string[]
  readonly call: string
  /** Of the call as a whole. */
  readonly txn: string
}

/** A GraphQL answer; of its errors only the code is for a model. */
export interface ToolAnswer {
  readonly data: Readonly<Record<string, unknown>> | null
  readonly errors: readonly { readonly code: ErrorCode }[]
}

export interface RegistryOptions {
  readonly tools: readonly ToolDefinition[]
  readonly execute: (execution: ToolExecution) => Promise<ToolAnswer>
}

/** The tools of the graph. What it lists for a caller is what runs for them. */
export interface Registry {
  /** The caller's tools, by name. */
  catalogue(principal: Principal): ToolDefinition[]
  /**
   * Runs a tool, in the transaction `txn`. Does not throw: whatever fails is an outcome. Which run it is part of is in
   * the principal's actor.
   */
  call(principal: Principal, call: ToolCall, txn: string): Promise<ToolOutcome>
}

/**
 * Compiles the schemas of all tools, so that no caller meets a broken one.
 *
 * @throws {TypeError} that names the tool whose schema cannot be used.
 */
export function createRegistry({ tools, execute }: RegistryOptions): Registry {
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  const sorted = [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const validate = createArgumentValidator(sorted)

  return {
    catalogue: (principal) => sorted.filter((tool) => grantedScopes(tool, principal) !== null),

    async call(principal, { name, arguments: given, call }, txn) {
      const tool = byName.get(name)
      const scopes = tool ? grantedScopes(tool, principal) : null
      if (!tool || !scopes) return failure('TOOL_UNKNOWN')
      try {
        const checked = validate(tool, given)
        if (!checked.valid) return failure('TOOL_ARGUMENTS_INVALID', checked.reason)
        const variables = { ...checked.values, ...bind(tool, principal) }
        const answer = await execute({ principal, tool, variables, scopes, call, txn })
        return outcomeOf(tool, answer)
      } catch (error) {
        return failure(codeOfThrown(error))
      }
    },
  }
}

/** Variables that the caller fills by being who they are; they come last and win. */
function bind(tool: ToolDefinition, principal: Principal): Record<string, string | null> {
  return Object.fromEntries(
    tool.bindings.map(({ variable, claim }) => [variable, claim === 'sub' ? principal.subject : principal.tenant]),
  )
}

/**
 * A query that was answered in part fails: a model would take what is missing for what does not exist. A mutation
 * whose field has a value has happened, and must not look as if it had not.
 */
function outcomeOf(tool: ToolDefinition, { data, errors: [error] }: ToolAnswer): ToolOutcome {
  const happened = !tool.readOnly && data !== null && Object.values(data).some((value) => value !== null)
  if (!happened) {
    if (error) return failure(error.code)
    if (data === null) return failure('TOOL_FAILED')
  }
  const shaped = shapeResult(data)
  return shaped ? { ok: true, ...shaped } : failure('TOOL_RESULT_TOO_LARGE')
}
