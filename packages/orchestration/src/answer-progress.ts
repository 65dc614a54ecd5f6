import { answerText } from './answer-text.ts'
import type { Step } from './run-store.ts'

/** Text of an answer that is still being written, in the place that it will have in the message. */
export interface AnswerDelta {
  /** In UTF-16 units. Whatever was said of the message from there on is out of date. */
  readonly offset: number
  readonly text: string
}

/** Between the texts of two steps. */
const separator = '\n\n'

/**
 * Follows the text of one step so that what it gives adds up to the beginning of `answerText`, whichever pieces the text
 * comes in: blanks around it are left out, and half a character waits for its other half.
 *
 * @param steps - those before it
 */
export function createAnswerProgress(steps: readonly Pick<Step, 'text'>[]): (text: string) => AnswerDelta | null {
  const before = answerText(steps)
  let offset = before.length
  let waiting = before === '' ? '' : separator
  let begun = false

  return (text) => {
    const all = waiting + (begun ? text : text.trimStart())
    if (!begun && all === waiting) return null
    begun = true
    // Blanks may be the last; half of a surrogate pair is no text.
    const kept = /[\ud800-\udbff]?\s*$/.exec(all)?.index ?? all.length
    waiting = all.slice(kept)
    if (kept === 0) return null
    const delta = { offset, text: all.slice(0, kept) }
    offset += kept
    return delta
  }
}
