import { createHash } from 'node:crypto'
import { AppError, type AskedApproval, type ToolOutcome } from '@behalf/identity'
import type { AgentApi } from './agent-api.ts'
import { type AnswerDelta, createAnswerProgress } from './answer-progress.ts'
import { answerText } from './answer-text.ts'
import type { ChatErrorCode } from './chat-error.ts'
import { ModelError, type ModelBackend } from './model-backend.ts'
import { readModelStep } from './model-step.ts'
import { defaultBounds, type RunBounds } from './run-bounds.ts'
import { runMessages } from './run-messages.ts'
import {
  RunLost,
  type Call,
  type CallStatus,
  type RunEnd,
  type RunStore,
  type Step,
  type TakenRun,
  type WaitingCall,
} from './run-store.ts'
import { stepTokens } from './step-tokens.ts'
import { watchDelegation } from './watch-delegation.ts'

export interface RunnerOptions {
  readonly store: RunStore
  readonly backend: ModelBackend
  readonly agentApi: AgentApi
  readonly bounds?: Partial<RunBounds>
  /** Text of a deployment, before the fixed part of the system prompt. */
  readonly instructions?: string
  /** Told of the answer as it is written, of which nothing is stored before its step is; `holder` as the store counts. */
  readonly onText?: (run: string, delta: AnswerDelta & { readonly holder: number }) => void
  /** Told of every failure of the model that ends a run: its user learns the code, and an operator wants the cause. */
  readonly onModelError?: (run: string, error: ModelError) => void
  readonly clock?: () => number
}

export interface Runner {
  /**
   * Works a run until it is over, until it waits for its user, or until it is lost to a cancellation or another
   * runner. Continues from whatever is stored: a call that was stored and perhaps sent, or that its user was asked for,
   * is sent again under the same id.
   *
   * @throws the signal's reason when aborted, and whatever the store throws; the run can then be continued.
   */
  run(run: string, signal: AbortSignal): Promise<void>
}

export function createRunner(options: RunnerOptions): Runner {
  const { store, backend, agentApi, instructions = '', onText, onModelError, clock = Date.now } = options
  const bounds = { ...defaultBounds, ...options.bounds }

  return {
    async run(run, signal) {
      try {
        for (;;) {
          const taken = await store.take(run)
          if (!taken) return
          const worked = await work(run, taken, signal)
          if (worked === 'ended') return
          if ('status' in worked) return await taken.end(worked)
          if (await taken.wait(worked.waiting)) return
        }
      } catch (error) {
        if (!(error instanceof RunLost)) throw error
      }
    },
  }

  async function work(run: string, taken: TakenRun, stop: AbortSignal): Promise<Worked> {
    const steps = [...taken.steps]
    const left = Math.max(0, taken.startedAt + bounds.wallTimeMs - clock())
    const deadline = left === 0 ? AbortSignal.abort() : AbortSignal.timeout(left)
    const { delegation } = taken
    if (delegation === null) return ended('FAILED', 'IDENTITY_EXPIRED', steps)
    const done = new AbortController()
    const over = watchDelegation(agentApi, { delegation, run }, done.signal)
    try {
      return await loop(run, { ...taken, delegation }, steps, AbortSignal.any([stop, deadline, over]))
    } catch (thrown) {
      stop.throwIfAborted()
      const error: unknown = over.aborted && !(thrown instanceof RunLost) ? over.reason : thrown
      if (error instanceof RunLost) throw error
      if (deadline.aborted) return ended('INCOMPLETE', 'BUDGET_EXCEEDED', steps)
      if (error instanceof ModelError) {
        onModelError?.(run, error)
        return { ...ended('FAILED', error.code, steps), retryAfterMs: error.retryAfterMs }
      }
      if (error instanceof AppError) {
        // What a delegation that is over leaves unsaid: whether its user was asked, and said nothing.
        const expired = codeOf(error) === 'IDENTITY_EXPIRED' && waitedInVain(steps, clock())
        return expired ? ended('INCOMPLETE', 'APPROVAL_EXPIRED', steps) : ended('FAILED', codeOf(error), steps)
      }
      throw error
    } finally {
      // A reason of its own would be an error with a stack, for nobody.
      done.abort(null)
    }
  }

  async function loop(
    run: string,
    taken: TakenRun & { readonly delegation: string },
    steps: Step[],
    signal: AbortSignal,
  ): Promise<Worked> {
    const { delegation } = taken
    signal.throwIfAborted()
    const tools = await agentApi.tools({ delegation, run }, signal)
    /** The call that was stored as started together with what came before it. */
    let started: string | undefined

    for (;;) {
      const last = steps.at(-1)
      if (last) {
        const calls: Call[] = []
        const waiting: WaitingCall[] = []
        for (const [index, call] of last.calls.entries()) {
          const outcome = call.outcome ?? (await perform(call, firstOpen(last.calls.slice(index + 1))))
          if (isAsked(outcome)) waiting.push({ call: call.id, approval: outcome.approval })
          else calls.push({ ...call, outcome })
        }
        if (waiting.length > 0) return { waiting }
        steps[steps.length - 1] = { ...last, calls }
        const end = endWith(last, steps)
        if (end) return end
        if (steps.length >= bounds.steps) return ended('INCOMPLETE', 'STEP_LIMIT', steps)
        if (tokensOf(steps) >= bounds.tokens) return ended('INCOMPLETE', 'BUDGET_EXCEEDED', steps)
      }
      if (!taken.hasBudget()) return ended('INCOMPLETE', 'BUDGET_EXCEEDED', steps)
      signal.throwIfAborted()
      const messages = runMessages(instructions, clock(), taken.turns, steps)
      const progress = createAnswerProgress(steps)
      const events = backend.generate({ messages, tools, signal, contextFor })
      const step = await readModelStep(events, tools, bounds, (text) => {
        const delta = progress(text)
        if (delta) onText?.(run, { ...delta, holder: taken.holder })
      })
      // A backend may end its stream quietly when it is aborted.
      signal.throwIfAborted()
      if (step.reason === 'done' && step.text.trim() === '' && step.calls.length === 0) {
        throw new ModelError('MODEL_BAD_OUTPUT', { cause: 'an empty answer' })
      }
      const end = endWith(step, [...steps, step])
      started = firstOpen(step.calls)
      await taken.addStep(step, { start: started, end })
      if (end) return 'ended'
      steps.push(step)
    }

    function contextFor(body: Uint8Array): Promise<string> {
      const sha256 = createHash('sha256').update(body).digest('base64url')
      return agentApi.modelContext({ delegation, run, sha256 }, signal)
    }

    async function perform(call: Call, next: string | undefined): Promise<ToolOutcome> {
      if (call.id !== started) await taken.startCall(call.id)
      const outcome = await agentApi.call(
        { delegation, run, call: call.id, name: call.name, arguments: call.arguments },
        signal,
      )
      if (isAsked(outcome)) return outcome
      started = next
      await taken.settleCall(call.id, { status: callStatus(outcome), outcome }, { start: next })
      return outcome
    }
  }
}

/** Nothing is left to do until the user has decided. */
interface Waits {
  readonly waiting: readonly WaitingCall[]
}

/** `ended`: as is stored already. */
type Worked = RunEnd | Waits | 'ended'

const firstOpen = (calls: readonly Call[]) => calls.find(({ outcome }) => outcome === null)?.id

/** How a run ends with a step after which there is nothing to do. */
function endWith({ reason, calls }: Step, steps: readonly Step[]): RunEnd | undefined {
  if (reason === 'refused') return ended('FAILED', 'MODEL_REFUSED', steps)
  if (reason === 'length') return ended('INCOMPLETE', 'BUDGET_EXCEEDED', steps)
  return calls.length === 0 ? ended('COMPLETED', null, steps) : undefined
}

function isAsked(outcome: ToolOutcome): outcome is ToolOutcome & { readonly approval: AskedApproval } {
  return !outcome.ok && outcome.error.code === 'APPROVAL_REQUIRED' && outcome.approval !== undefined
}

function waitedInVain(steps: readonly Step[], now: number): boolean {
  const asked = steps
    .flatMap(({ calls }) => calls)
    .flatMap(({ outcome, askedUntil = [] }) => (outcome ? [] : askedUntil))
  return asked.length > 0 && Math.max(...asked) <= now
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
  if (outcome.error.code === 'APPROVAL_REJECTED') return 'REJECTED'
  return notPermitted.has(outcome.error.code) ? 'NOT_PERMITTED' : 'FAILED'
}

const tokensOf = (steps: readonly Step[]) => steps.reduce((sum, step) => sum + stepTokens(step), 0)
