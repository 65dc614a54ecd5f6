import type { ModelMessage } from './model-backend.ts'
import type { Step, Turn } from './run-store.ts'
import { systemMessage } from './system-message.ts'

/** What a model is told of a run: the conversation, then what it said and got in this run. */
export function runMessages(
  instructions: string,
  now: number,
  turns: readonly Turn[],
  steps: readonly Step[],
): readonly ModelMessage[] {
  return [systemMessage(instructions, now), ...turns.map(turnMessage), ...steps.flatMap(stepMessages)]
}

function turnMessage({ role, text }: Turn): ModelMessage {
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
