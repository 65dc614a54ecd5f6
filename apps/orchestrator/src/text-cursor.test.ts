import { expect, it } from 'vitest'
import { createTextCursor } from './text-cursor.ts'

it('tells each piece once, knows what it missed, and begins a step anew with its next holder', () => {
  const cursor = createTextCursor()
  const piece = (holder: number, offset: number, text: string) => cursor.take({ holder, offset, text })
  expect(piece(1, 0, 'Hello')).toEqual({ offset: 0, text: 'Hello' })
  expect(piece(1, 0, 'Hello')).toBeNull()
  expect(piece(1, 3, 'lo wor')).toEqual({ offset: 5, text: ' wor' })
  expect(piece(1, 20, '!')).toBe('gap')
  expect(piece(2, 6, 'World')).toEqual({ offset: 6, text: 'World' })
  expect(piece(1, 9, 'ld')).toBeNull()
  expect(piece(2, 11, '.')).toEqual({ offset: 11, text: '.' })
  expect(piece(3, 99, '.')).toBe('gap')
})
