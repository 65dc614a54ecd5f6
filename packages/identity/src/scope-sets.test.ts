import { expect, it } from 'vitest'
import { holdsOneOf, missingScopes } from './scope-sets.ts'

const holding = (...scopes: string[]) => ({ scopes })
const sets = [['a', 'b'], ['c']]

it('[P6] scopes are held together, or are not', () => {
  for (const caller of [holding('a', 'b'), holding('c'), holding('c', 'a')]) {
    expect(holdsOneOf(caller, sets)).toBe(true)
    expect(missingScopes(caller, sets)).toEqual([])
  }
  expect(holdsOneOf(holding('a', 'x'), sets)).toBe(false)
  expect(holdsOneOf(holding('a'), [[]])).toBe(false)
  expect(holdsOneOf(holding('a'), [])).toBe(false)
})

it('those that are missing are told for each way', () => {
  expect(missingScopes(holding('a', 'x'), sets)).toEqual([['b'], ['c']])
  expect(missingScopes(holding(), sets)).toEqual(sets)
  expect(missingScopes(holding(), [])).toEqual([])
})
