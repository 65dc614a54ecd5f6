import type { Principal, ToolDefinition } from '@behalf/identity'
import { grantedScopes } from './granted-scopes.ts'
import { shapeResult } from './shape-result.ts'
import { codeOfAnswer, codeOfThrown, failure, type ToolOutcome } from './tool-outcome.ts'
import { createArgumentValidator } from './validate-arguments.ts'

/** A call as an agent makes it. Which run it is part of is in the principal's actor. */
export interface ToolCall {
  readonly name: string
  /** As the model gave them; anything but a JSON object is refused. */
  readonly arguments: unknown
  /** Id of the call: its effect in a database is recorded once under it. */
  readonly call: string
}

/** What the gateway is asked to do: run the tool's stored operation, as the caller, with these scopes and no others. */
export interface ToolExecution {
  readonly principal: Principal
  readonly tool: ToolDefinition
  readonly variables: Readonly<Record<string, unknown>>
  /** The caller's scopes, narrowed to what the tool needs. */
  readonly scopes: readonly string[]
  readonly call: string
}

/** A GraphQL answer; the code of an error is its own or that of its extensions. */
export interface ToolAnswer {
  readonly data?: unknown
  readonly errors?: readonly unknown[] | undefined
}

export interface RegistryOptions {
  readonly tools: readonly ToolDefinition[]
  readonly execute: (execution: ToolExecution) => Promise<ToolAnswer>
}

/** The tools of the graph. What it lists for a caller is what runs for them. */
export interface Registry {
  /** The caller's tools, by name. */
  catalogue(principal: Principal): ToolDefinition[]
  /** Runs a tool. Does not throw: whatever fails is an outcome. */
  call(principal: Principal, call: ToolCall): Promise<ToolOutcome>
}

export function createRegistry({ tools, execute }: RegistryOptions): Registry {
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  const sorted = [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const validate = createArgumentValidator()

  return {
    catalogue: (principal) => sorted.filter((tool) => grantedScopes(tool, principal) !== null),

    async call(principal, { name, arguments: given, call }) {
      const tool = byName.get(name)
      const scopes = tool ? grantedScopes(tool, principal) : null
      if (!tool || !scopes) return failure('TOOL_UNKNOWN')
      try {
        const checked = validate(tool, given)
        if (!checked.valid) return failure('TOOL_ARGUMENTS_INVALID', checked.reason)
        const variables = { ...checked.values, ...bind(tool, principal) }
        const answer = await execute({ principal, tool, variables, scopes, call })
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
function outcomeOf(tool: ToolDefinition, { data, errors = [] }: ToolAnswer): ToolOutcome {
  const happened =
    !tool.readOnly && typeof data === 'object' && data !== null && Object.values(data).some((value) => value !== null)
  if (!happened) {
    if (errors.length > 0) return failure(codeOfAnswer(errors[0]))
    if (typeof data !== 'object' || data === null) return failure('TOOL_FAILED')
  }
  const shaped = shapeResult(data)
  return shaped ? { ok: true, ...shaped } : failure('TOOL_RESULT_TOO_LARGE')
}
