import type {
  Approval,
  AskedApproval,
  ErrorCode,
  ErrorDetails,
  JsonSchema,
  Principal,
  ToolRequest,
  ToolDefinition,
  ToolOutcome,
} from '@behalf/identity'
import { fillSummary } from './fill-summary.ts'
import { type CanGain, gainableScopes, grantedScopes } from './granted-scopes.ts'
import { hashCall } from './hash-call.ts'
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
  /** The user's, of exactly this call; null where the tool needs none. */
  readonly approval: Approval | null
  readonly call: string
  /** Of the call as a whole. */
  readonly txn: string
  /** Aborted when nobody waits for the answer any more; a mutation that was sent is not called back. */
  readonly signal: AbortSignal | null
}

/** A GraphQL answer; of its errors only the code is for a model. */
export interface ToolAnswer {
  readonly data: Readonly<Record<string, unknown>> | null
  readonly errors: readonly { readonly code: ErrorCode; readonly details?: ErrorDetails }[]
}

/** A call that needs the user's approval: what it is of, and what the user is shown. */
export interface CallToApprove extends Pick<ToolExecution, 'principal' | 'txn'> {
  /** Null where the caller gave none. */
  readonly call: string | null
  readonly expected?: CallOptions['expected']
  readonly tool: { readonly name: string; readonly version: string; readonly approval: string }
  readonly argumentsHash: string
  readonly summary: string
}

/** With what a call runs, or why it does not; `asked` where the user has yet to decide. */
export type ApprovedCall =
  | { readonly approval: Approval; readonly call: string }
  | { readonly code: ErrorCode; readonly asked: AskedApproval | null }

export interface CallOptions {
  /** Then a call of a tool for which scopes are lacking says which. */
  readonly canGain?: CanGain | undefined
  /** What the user was asked in an earlier round of this call: another decision than that is none about it. */
  readonly expected?: Pick<AskedApproval, 'id' | 'argumentsHash'> | undefined
  readonly signal?: AbortSignal | undefined
}

export interface RegistryOptions {
  readonly tools: readonly ToolDefinition[]
  readonly execute: (execution: ToolExecution) => Promise<ToolAnswer>
  /** Asks the user of such a call, or takes their approval for it. */
  readonly approve: (call: CallToApprove) => Promise<ApprovedCall>
}

/** The tools of the graph. What it lists for a caller is what runs for them. */
export interface Registry {
  /** The caller's tools, by name; with `canGain` also those for which they lack nothing but scopes they may ask for. */
  catalogue(principal: Principal, txn?: string, canGain?: CanGain): ToolDefinition[]
  /**
   * Runs a tool, in the transaction `txn`. Does not throw: whatever fails is an outcome. Which run it is part of is in
   * the principal's actor.
   */
  call(principal: Principal, call: ToolRequest, txn: string, options?: CallOptions): Promise<ToolOutcome>
}

/**
 * Compiles the schemas of all tools, so that no caller meets a broken one.
 *
 * @throws {TypeError} that names the tool whose schema cannot be used.
 */
export function createRegistry({ tools, execute, approve }: RegistryOptions): Registry {
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  const sorted = [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const validate = createArgumentValidator(sorted)

  function decide(
    asking: Pick<CallToApprove, 'principal' | 'call' | 'txn' | 'expected'>,
    { name, version, approval, summary, inputSchema }: ToolDefinition,
    values: Readonly<Record<string, unknown>>,
  ): Promise<ApprovedCall> | { readonly approval: null; readonly call: string } {
    if (approval === null) return { approval: null, call: asking.call ?? `call_${asking.txn}` }
    if (summary === null) throw new TypeError(`"${name}" needs approval, and says nothing to whom it asks.`)
    const tool = { name, version, approval }
    const shown = fillSummary(summary, { ...defaultsOf(inputSchema), ...values })
    return approve({ ...asking, tool, argumentsHash: hashCall(tool, values), summary: shown })
  }

  return {
    catalogue: (principal, _txn, canGain) =>
      sorted.filter((tool) => (grantedScopes(tool, principal) ?? lackedScopes(tool, principal, canGain)) !== null),

    async call(principal, { name, arguments: given, call }, txn, { canGain, expected, signal = null } = {}) {
      const tool = byName.get(name)
      if (!tool) return failure('TOOL_UNKNOWN')
      const scopes = grantedScopes(tool, principal)
      if (!scopes) {
        const lacked = lackedScopes(tool, principal, canGain)
        if (!lacked) return failure('TOOL_UNKNOWN')
        return failure('UNAUTHORIZED_FIELD_OR_TYPE', undefined, { requiredScopes: [lacked] })
      }
      try {
        const checked = validate(tool, given)
        if (!checked.valid) return failure('TOOL_ARGUMENTS_INVALID', checked.reason)
        const decided = await decide({ principal, call, txn, expected }, tool, checked.values)
        if ('code' in decided) return notApproved(decided)
        const variables = { ...checked.values, ...bind(tool, principal) }
        const answer = await execute({ principal, tool, variables, scopes, ...decided, txn, signal })
        return outcomeOf(tool, answer)
      } catch (error) {
        return failure(codeOfThrown(error))
      }
    },
  }
}

const lackedScopes = (tool: ToolDefinition, principal: Principal, canGain: CanGain | undefined) =>
  canGain ? gainableScopes(tool, principal, canGain) : null

/** What is done where an argument is left out: the version says so, too. */
function defaultsOf({ properties }: JsonSchema): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries((properties ?? {}) as Record<string, JsonSchema>).flatMap(([name, schema]) =>
      Object.hasOwn(schema, 'default') ? [[name, schema['default']]] : [],
    ),
  )
}

function notApproved({ code, asked }: Extract<ApprovedCall, { code: unknown }>): ToolOutcome {
  const outcome = failure(code)
  return asked && !outcome.ok ? { ...outcome, approval: asked } : outcome
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
    if (error) return failure(error.code, undefined, error.details)
    if (data === null) return failure('TOOL_FAILED')
  }
  const shaped = shapeResult(data)
  return shaped ? { ok: true, ...shaped } : failure('TOOL_RESULT_TOO_LARGE')
}
