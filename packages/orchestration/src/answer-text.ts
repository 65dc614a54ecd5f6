import type { Step } from './run-store.ts'

/** The whole text of an answer: what the model said in each step. */
export function answerText(steps: readonly Pick<Step, 'text'>[]): string {
  return steps
    .map(({ text }) => text.trim())
    .filter((text) => text !== '')
    .join('\n\n')
}
