import { describe, expect, it } from 'vitest'
import { createAnswerProgress } from './answer-progress.ts'
import { answerText } from './answer-text.ts'

/** What a client that follows offsets has, after each step's pieces. */
function follow(steps: readonly (readonly string[])[]): string {
  let text = ''
  steps.forEach((pieces, index) => {
    const progress = createAnswerProgress(steps.slice(0, index).map((before) => ({ text: before.join('') })))
    for (const piece of pieces) {
      const delta = progress(piece)
      if (!delta) continue
      expect(delta.text.isWellFormed()).toBe(true)
      expect(delta.offset).toBe(text.length)
      text = text.slice(0, delta.offset) + delta.text
    }
  })
  return text
}

describe('the progress of an answer', () => {
  it.each([
    [[['Hello', ' world ']], 'Hello world'],
    [[['  ', '\n', 'Hi', '\n'], [' '], ['', 'there', '  ']], 'Hi\n\nthere'],
    [[['\ud83d', '\ude00 ok']], '\u{1f600} ok'],
  ])('of %j adds up', (steps, text) => {
    expect(follow(steps)).toBe(text)
  })

  it('adds up to the answer, whichever pieces it comes in', () => {
    /** Every way to cut a text. */
    const cuts = (text: string): string[][] =>
      Array.from({ length: 2 ** (text.length - 1) }, (_, at) =>
        [...text.matchAll(/[^]/g)].reduce<string[]>(
          (pieces, [unit], index) =>
            index > 0 && (at >> (index - 1)) & 1 ? [...pieces.slice(0, -1), pieces.at(-1) + unit] : [...pieces, unit],
          [],
        ),
      )
    const whole = answerText([{ text: ' a \n b\u{1f600} ' }, { text: ' ' }, { text: 'c ' }])
    for (const pieces of cuts(' a \n b\u{1f600} ')) expect(follow([pieces, [' '], ['c', ' ']])).toBe(whole)
  })
})
