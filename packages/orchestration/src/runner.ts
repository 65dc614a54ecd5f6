import { AppError, type ToolOutcome } from '@behalf/identity'
import type { AgentApi } from './agent-api.ts'
import { answerText } from './answer-text.ts'
import type { ChatErrorCode } from './chat-error.ts'
import { ModelError, type ModelBackend, type ModelMessage } from './model-backend.ts'
import { readModelStep } from './model-step.ts'
import { defaultBounds, type RunBounds } from './run-bounds.ts'
import {
  RunLost,
  type Call,
  type CallStatus,
  type RunEnd,
  type RunStore,
  type Step,
  type TakenRun,
} from './run-store.ts'
import { systemMessage } from './system-message.ts'

export interface RunnerOptions {
  readonly store: RunStore
  readonly backend: ModelBackend
  readonly agentApi: AgentApi
  readonly bounds?: Partial<RunBounds>
  /** Text of a deployment, before the fixed part of the system prompt. */
  readonly instructions?: string
  /** Told of every failure of the model that ends a run: its user learns the code, and an operator wants the cause. */
  readonly onModelError?: (run: string, error: ModelError) => void
  readonly clock?: () => number
}

export interface Runner {
  /**
   * Works a run until it is over, or until it is lost to a cancellation or another runner. Continues from
   * whatever is stored: a call that was stored and perhaps sent is sent again under the same id.
   *
   * @throws the signal's reason when aborted, and whatever the store throws; the run can then be continued.
   */
  run(run: string, signal: AbortSignal): Promise<void>
}

export function createRunner(options: RunnerOptions): Runner {
  const { store, backend, agentApi, instructions = '', onModelError, clock = Date.now } = options
  const bounds = { ...defaultBounds, ...options.bounds }

  return {
    async run(run, signal) {
      try {
        const taken = await store.take(run)
        if (!taken) return
        await taken.end(await work(run, taken, signal))
      } catch (error) {
        if (!(error instanceof RunLost)) throw error
      }
    },
  }

  async function work(run: string, taken: TakenRun, stop: AbortSignal): Promise<RunEnd> {
    const steps = [...taken.steps]
    const left = Math.max(0, taken.startedAt + bounds.wallTimeMs - clock())
    const deadline = left === 0 ? AbortSignal.abort() : AbortSignal.timeout(left)
    const signal = AbortSignal.any([stop, deadline])
    try {
      return await loop(run, taken, steps, signal)
    } catch (error) {
      stop.throwIfAborted()
      if (error instanceof RunLost) throw error
      if (deadline.aborted) return ended('INCOMPLETE', 'BUDGET_EXCEEDED', steps)
      if (error instanceof ModelError) {
        onModelError?.(run, error)
        return { ...ended('FAILED', error.code, steps), retryAfterMs: error.retryAfterMs }
      }
      if (error instanceof AppError) return ended('FAILED', codeOf(error), steps)
      throw error
    }
  }

  async function loop(run: string, taken: TakenRun, steps: Step[], signal: AbortSignal): Promise<RunEnd> {
    const { delegation } = taken
    if (delegation === null) return ended('FAILED', 'IDENTITY_EXPIRED', steps)
    signal.throwIfAborted()
    const tools = await agentApi.tools({ delegation, run }, signal)

    for (;;) {
      const last = steps.at(-1)
      if (last) {
        const calls: Call[] = []
        for (const call of last.calls) calls.push(call.outcome ? call : await perform(call))
        steps[steps.length - 1] = { ...last, calls }
        if (last.reason === 'refused') return ended('FAILED', 'MODEL_REFUSED', steps)
        if (last.reason === 'length') return ended('INCOMPLETE', 'BUDGET_EXCEEDED', steps)
        if (calls.length === 0) return ended('COMPLETED', null, steps)
        if (steps.length >= bounds.steps) return ended('INCOMPLETE', 'STEP_LIMIT', steps)
        if (tokensOf(steps) >= bounds.tokens) return ended('INCOMPLETE', 'BUDGET_EXCEEDED', steps)
      }
      signal.throwIfAborted()
      const messages = [
        systemMessage(instructions, clock()),
        ...taken.turns.map(turnMessage),
        ...steps.flatMap(stepMessages),
      ]
      const step = await readModelStep(backend.generate({ messages, tools, signal }), tools, bounds)
      // A backend may end its stream quietly when it is aborted.
      signal.throwIfAborted()
      if (step.reason === 'done' && step.text.trim() === '' && step.calls.length === 0) {
        throw new ModelError('MODEL_BAD_OUTPUT', { cause: 'an empty answer' })
      }
      await taken.addStep(step)
      steps.push(step)
    }

    async function perform(call: Call): Promise<Call> {
      await taken.startCall(call.id)
      const outcome = await agentApi.call(
        { delegation: delegation as string, run, call: call.id, name: call.name, arguments: call.arguments },
        signal,
      )
      await taken.settleCall(call.id, { status: callStatus(outcome), outcome })
      return { ...call, outcome }
    }
  }
}

function ended(status: RunEnd['status'], code: ChatErrorCode | null, steps: readonly Step[]): RunEnd {
  return { status, code, retryAfterMs: null, text: answerText(steps) }
}

function codeOf(error: AppError): ChatErrorCode {
  switch (error.code) {
    case 'DELEGATION_REFUSED':
    case 'SESSION_ENDED':
      return 'IDENTITY_EXPIRED'
    case 'UNAVAILABLE':
    case 'REVOCATIONS_UNKNOWN':
      return 'TOOL_FAILED'
    default:
      return 'INTERNAL'
  }
}

const notPermitted: ReadonlySet<string> = new Set([
  'UNAUTHENTICATED',
  'UNAUTHORIZED_FIELD_OR_TYPE',
  'AGENT_DENIED',
  'APPROVAL_REQUIRED',
])

function callStatus(outcome: ToolOutcome): CallStatus {
  if (outcome.ok) return 'SUCCEEDED'
  return notPermitted.has(outcome.error.code) ? 'NOT_PERMITTED' : 'FAILED'
}

function turnMessage({ role, text }: { role: 'user' | 'assistant'; text: string }): ModelMessage {
  return role === 'user' ? { role, text } : { role, text, calls: [] }
}

function stepMessages({ text, calls }: Step): ModelMessage[] {
  const results = calls.flatMap(({ id, name, outcome }): ModelMessage[] =>
    outcome ? [{ role: 'tool', call: id, name, outcome }] : [],
  )
  return [
    { role: 'assistant', text, calls: calls.map(({ id, name, arguments: args }) => ({ id, name, arguments: args })) },
    ...results,
  ]
}

/** A token is about four characters of English or JSON; used only where the backend reports nothing. */
function tokensOf(steps: readonly Step[]): number {
  return steps.reduce((sum, { text, calls, usage }) => {
    const reported = (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0)
    return sum + (reported > 0 ? reported : Math.ceil((text.length + JSON.stringify(calls).length) / 4))
  }, 0)
}
