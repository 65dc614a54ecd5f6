import type { ModelEvent, ModelMessage } from '@behalf/orchestration'

/** What a user says who is to be answered never: their run is under way for as long as anybody looks. */
export const holdText = 'Hold.'
export const askText = 'How much money do I have?'
export const tool = 'get_balance'

/** What the model says to a user whose account holds so much. */
export const answerTo = (amount: string): string => `Your account holds ${amount} EUR now. Is there anything else?`

/** What comes next, of a model that calls one tool and then tells what came of it, in pieces of a few letters. */
export function nextAnswer(messages: readonly ModelMessage[]): { readonly call: string } | { readonly text: string } {
  const last = messages.at(-1)
  if (last?.role !== 'tool') return { call: tool }
  const { outcome } = last
  if (!outcome.ok) return { text: outcome.error.code }
  const [amount] = /\d+\.\d\d/.exec(JSON.stringify(outcome.result)) ?? ['nothing']
  return { text: answerTo(amount) }
}

const usage = { inputTokens: 90, outputTokens: 10, cachedInputTokens: 0 }

export function* eventsOf(answer: ReturnType<typeof nextAnswer>): Generator<ModelEvent> {
  if ('call' in answer) yield { type: 'call', name: answer.call, arguments: '{}' }
  else for (const text of answer.text.match(/.{1,7}/gs) ?? []) yield { type: 'text', text }
  yield { type: 'finish', reason: 'done', usage }
}
