import type { AskedApproval, ToolOutcome } from '@behalf/identity'
import type { ChatErrorCode } from './chat-error.ts'
import type { FinishReason, ModelUsage } from './model-backend.ts'

/** A text of the conversation. */
export interface Turn {
  readonly role: 'user' | 'assistant'
  readonly text: string
}

/** A tool call as it is stored before it is sent. With an `outcome` it is settled already and never sent. */
export interface Call {
  readonly id: string
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly outcome: ToolOutcome | null
  /** Until when the user can decide, in milliseconds since the epoch, where they were asked for this call. */
  readonly askedUntil?: number
}

/** A call that runs once its user says so. */
export interface WaitingCall {
  readonly call: string
  readonly approval: AskedApproval
}

/** One answer of the model: what it said and what it wants called. */
export interface Step {
  readonly text: string
  /** Other than `done`: the answer was cut off or declined, has no calls, and ends the run. */
  readonly reason: FinishReason
  readonly usage: ModelUsage | null
  readonly calls: readonly Call[]
}

export type CallStatus = 'SUCCEEDED' | 'FAILED' | 'NOT_PERMITTED' | 'REJECTED'

/** How a run ended, with the whole text of its answer; empty for none. */
export interface RunEnd {
  readonly status: 'COMPLETED' | 'INCOMPLETE' | 'FAILED'
  readonly code: ChatErrorCode | null
  readonly retryAfterMs: number | null
  readonly text: string
}

/** What is done next, and stored in the same transaction: a call that is about to be sent, or the end. */
export interface Follows {
  readonly start?: string | undefined
  readonly end?: RunEnd | undefined
}

/**
 * Where runs are kept. Each write is one transaction, durable when its promise resolves,
 * and rejects with {@link RunLost} once the run is over or somebody else has taken it.
 */
export interface RunStore {
  /** Takes a run, so that whoever held it can write no more. Null when it is over or does not exist. */
  take(run: string): Promise<TakenRun | null>
}

export interface TakenRun {
  /** Counts who took it: what an earlier one said of it is out of date. */
  readonly holder: number
  /** Handle of the delegation the run acts under; null when none is stored (any more). */
  readonly delegation: string | null
  /** When it was first taken, in milliseconds since the epoch. */
  readonly startedAt: number
  /** The conversation so far, ending with the text to answer. */
  readonly turns: readonly Turn[]
  readonly steps: readonly Step[]
  /**
   * Whether its user and their tenant may ask a model for more today, as it was when the run was taken or the last step was
   * added: it is read with what is stored anyway.
   */
  hasBudget(): boolean
  /** What the step cost is counted for both in the same transaction. */
  addStep(step: Step, follows?: Follows): Promise<void>
  /** The call is about to be sent. */
  startCall(id: string): Promise<void>
  settleCall(
    id: string,
    settled: { readonly status: CallStatus; readonly outcome: ToolOutcome },
    follows?: Pick<Follows, 'start'>,
  ): Promise<void>
  /**
   * Puts the run aside until its user decides, or can decide no more; whoever takes it then sends the calls again. False,
   * and nothing is stored, when anything was decided since the run was taken: it may be what it would wait for.
   */
  wait(calls: readonly WaitingCall[]): Promise<boolean>
  end(end: RunEnd): Promise<void>
}

/** The run is over, was cancelled or is held by somebody else: whoever sees this stops and writes nothing. */
export class RunLost extends Error {
  override readonly name = 'RunLost'

  constructor() {
    super('The run is no longer held.')
  }
}
