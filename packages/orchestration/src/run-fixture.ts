import type { OfferedTool, ToolOutcome } from '@behalf/identity'
import type { AgentApi, DelegatedCall } from './agent-api.ts'
import type { ModelEvent, ModelRequest } from './model-backend.ts'
import type { RunBounds } from './run-bounds.ts'
import { RunLost, type RunEnd, type RunStore, type Step } from './run-store.ts'
import { createRunner } from './runner.ts'

const tool: OfferedTool = {
  name: 'get_balance',
  title: 'Balance',
  description: '',
  inputSchema: { type: 'object' },
  readOnly: true,
  requiresApproval: false,
  examples: [],
}
export const done = {
  type: 'finish',
  reason: 'done',
  usage: { inputTokens: 5, outputTokens: 5, cachedInputTokens: null },
} as const
export const call = (name: string, args = '{}') => ({ type: 'call', name, arguments: args }) as const
export const say = (text: string): ModelEvent[] => [{ type: 'text', text }, done]

export type Script = (request: ModelRequest) => Iterable<ModelEvent> | AsyncIterable<ModelEvent>

interface Given {
  readonly script: Script
  readonly bounds?: Partial<RunBounds>
  readonly answer?: (call: DelegatedCall, signal: AbortSignal) => Promise<ToolOutcome>
  readonly tools?: () => Promise<readonly OfferedTool[]>
  readonly delegation?: string | null
  readonly startedAt?: number
  /** False: something was decided meanwhile. */
  readonly waits?: () => boolean
  readonly budget?: () => boolean
  /** Default: the delegation does not end. */
  readonly watch?: (signal: AbortSignal) => Promise<void>
}

const { signal: never } = new AbortController()

/** A run in memory, whose store keeps the order in which things happened. */
export function setUp({
  script,
  bounds = {},
  answer,
  tools,
  delegation = 'handle',
  startedAt = Date.now(),
  waits,
  budget,
  watch,
}: Given) {
  const log: string[] = []
  const steps: Step[] = []
  const sent: DelegatedCall[] = []
  const state: { end: RunEnd | null; lost: boolean } = { end: null, lost: false }
  const guard = () => {
    if (state.lost || state.end) throw new RunLost()
  }
  const over = (end: RunEnd) => {
    log.push(`end ${end.status}`)
    state.end = end
  }
  const replace = (id: string, outcome: ToolOutcome) => {
    const index = steps.findIndex(({ calls }) => calls.some((stored) => stored.id === id))
    const step = steps[index] as Step
    steps[index] = { ...step, calls: step.calls.map((stored) => (stored.id === id ? { ...stored, outcome } : stored)) }
  }
  const ask = (id: string, askedUntil: number) => {
    for (const [index, step] of steps.entries())
      steps[index] = {
        ...step,
        calls: step.calls.map((stored) => (stored.id === id ? { ...stored, askedUntil } : stored)),
      }
  }
  const store: RunStore = {
    take: () =>
      Promise.resolve(
        state.end
          ? null
          : {
              holder: 1,
              delegation,
              startedAt,
              turns: [{ role: 'user', text: 'Hi' }],
              steps: [...steps],
              hasBudget: () => budget?.() ?? true,
              async addStep(step, { start, end } = {}) {
                guard()
                log.push(`step ${step.calls.map(({ name }) => name).join()}`)
                steps.push(step)
                if (start !== undefined) log.push(`start ${nameOf(start)}`)
                if (end) over(end)
              },
              async startCall(id) {
                guard()
                log.push(`start ${nameOf(id)}`)
              },
              async settleCall(id, { status, outcome }, { start } = {}) {
                guard()
                log.push(`settle ${nameOf(id)} ${status}`)
                replace(id, outcome)
                if (start !== undefined) log.push(`start ${nameOf(start)}`)
              },
              async wait(calls) {
                guard()
                log.push(`wait ${calls.map((waiting) => nameOf(waiting.call)).join()}`)
                if (waits?.() === false) return false
                for (const { call: id, approval } of calls) ask(id, Date.parse(approval.expiresAt))
                return true
              },
              async end(end) {
                guard()
                over(end)
              },
            },
      ),
  }
  const nameOf = (id: string) => steps.flatMap(({ calls }) => calls).find((stored) => stored.id === id)?.name
  const agentApi: AgentApi = {
    redeem: () => Promise.reject(new Error('not here')),
    tools: tools ?? (() => Promise.resolve([tool])),
    watch: (_request, signal = never) => watch?.(signal) ?? new Promise(() => undefined),
    modelContext: (asked) => Promise.resolve(`${asked.delegation} ${asked.run} ${asked.sha256}`),
    resolvedApprovals: () => Promise.reject(new Error('not here')),
    call(request, signal = never) {
      log.push(`send ${request.name}`)
      sent.push(request)
      return answer?.(request, signal) ?? Promise.resolve({ ok: true, result: { amount: '1.00' }, truncated: false })
    },
  }
  const requests: ModelRequest[] = []
  const backend = {
    kind: 'LANGUAGE_MODEL',
    name: 'scripted',
    async *generate(request: ModelRequest) {
      requests.push(request)
      yield* script(request)
    },
  } as const
  const runner = createRunner({ store, backend, agentApi, bounds, instructions: 'You work for Acme.' })
  return {
    run: (signal = new AbortController().signal) => runner.run('run_1', signal),
    log,
    steps,
    sent,
    state,
    requests,
  }
}
