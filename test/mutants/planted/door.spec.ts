import { expect, it } from 'vitest'
import { kept, lost } from './door.ts'

it('guards', () => {
  expect(() => kept(17, null, [])).toThrow('too young')
  expect(kept(18, null, ['ada'])).toBe('somebody')
  expect(kept(20, { name: 'ada' }, ['ada'])).toBe('ada')
  expect(kept(21, { name: 'ada' }, ['ada'])).toBe('ada (host)')
  expect(kept(21, { name: 'ada' }, ['ben'])).toBe('ada')
})

it('does not', () => {
  expect(lost(20, true)).toBe(20)
})
