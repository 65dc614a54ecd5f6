import type { AnswerDelta } from '@behalf/orchestration'
import type { LiveText } from './run-feed.ts'

/**
 * Follows the text of an answer for one reader, who is told each piece once: pieces come twice, and after a crash the
 * run's next holder writes its step anew, from where that began.
 */
export function createTextCursor() {
  let holder = 0
  let told = 0

  return {
    /** What there is to tell; `gap` where something before it was missed, and null where all of it is known. */
    take(piece: LiveText): AnswerDelta | 'gap' | null {
      if (piece.holder < holder) return null
      if (piece.holder > holder) {
        holder = piece.holder
        told = Math.min(told, piece.offset)
      }
      if (piece.offset > told) return 'gap'
      const text = piece.text.slice(told - piece.offset)
      if (text === '') return null
      const delta = { offset: told, text }
      told += text.length
      return delta
    },
  }
}
