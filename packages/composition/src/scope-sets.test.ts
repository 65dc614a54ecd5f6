import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ScopeSets } from '@behalf/identity'
import { conjoin, namesIn } from './scope-sets.ts'

const name = fc.constantFrom('a', 'b', 'c', 'd')
const sets = fc.array(fc.array(name, { minLength: 1, maxLength: 3 }), { maxLength: 3 })
const holds = (asked: ScopeSets, held: readonly string[]) =>
  asked.length === 0 || asked.some((set) => set.every((scope) => held.includes(scope)))

describe('conjoin', () => {
  it('asks for exactly what both ask for', () => {
    fc.assert(
      fc.property(sets, sets, fc.array(name), (a, b, held) => {
        expect(holds(conjoin(a, b), held)).toBe(holds(a, held) && holds(b, held))
      }),
    )
  })

  it('is the same either way round, and has no needless alternatives', () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const both = conjoin(a, b)
        expect(both).toEqual(conjoin(b, a))
        expect(both.filter((x) => both.some((y) => x !== y && y.every((scope) => x.includes(scope))))).toEqual([])
      }),
    )
    expect(conjoin([['b', 'a', 'a'], ['a']], [])).toEqual([['a']])
  })
})

describe('namesIn', () => {
  it('lists every name once', () => {
    expect(namesIn([['b', 'a'], ['a']], [['c']])).toEqual(['a', 'b', 'c'])
  })
})
