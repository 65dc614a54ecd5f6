import type { ModelBackend, ModelEvent, ModelRequest } from '@behalf/orchestration'

export type Script = (request: ModelRequest) => readonly ModelEvent[] | Promise<readonly ModelEvent[]>

/** A backend that plays what it is told, and can be made to wait. */
export function scripted(script: Script): ModelBackend {
  return {
    kind: 'LANGUAGE_MODEL',
    name: 'scripted',
    async *generate(request) {
      yield* await script(request)
    },
  }
}

export const say = (text: string): readonly ModelEvent[] => [
  { type: 'text', text },
  { type: 'finish', reason: 'done', usage: { inputTokens: 10, outputTokens: 2, cachedInputTokens: 0 } },
]

export const callTool = (name: string, args: unknown = {}): readonly ModelEvent[] => [
  { type: 'call', name, arguments: JSON.stringify(args) },
  { type: 'finish', reason: 'done', usage: { inputTokens: 10, outputTokens: 2, cachedInputTokens: 0 } },
]

/** A model that answers `At last.` when the test says so, or when it is aborted. */
export function held() {
  const started = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  let aborted = false
  const script: Script = async ({ signal }) => {
    signal.addEventListener('abort', () => {
      aborted = true
      go.resolve()
    })
    started.resolve()
    await go.promise
    return say('At last.')
  }
  return { script, started: started.promise, go: go.resolve, isAborted: () => aborted }
}
