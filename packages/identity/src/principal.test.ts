import { expect, it } from 'vitest'
import { deepFreeze } from './principal.ts'

it('deepFreeze freezes all there is in a value, also inside of what was frozen before', () => {
  const inner = { list: ['a'], none: null, text: 'text' }
  expect(deepFreeze(Object.freeze({ inner }))).toEqual({ inner })
  expect([inner, inner.list].every(Object.isFrozen)).toBe(true)
  expect(deepFreeze('text')).toBe('text')
  expect(deepFreeze(null)).toBeNull()
})
