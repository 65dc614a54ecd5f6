import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readErrorDetails } from './error-details.ts'

const all = { requiredScopes: [['a', 'b:c'], ['d']], acrValues: ['mfa'], maxAge: 60, retryAfter: 0 }

describe('details of an error', () => {
  it('are read from whatever came with it, and nothing else is', () => {
    expect(readErrorDetails({ ...all, code: 'X', stack: 'at', http: { status: 200 } })).toEqual(all)
    for (const nothing of [null, undefined, 'x', 7, [], {}]) expect(readErrorDetails(nothing)).toEqual({})
  })

  it.each([
    ['requiredScopes', [[]]],
    ['requiredScopes', []],
    ['requiredScopes', ['a']],
    ['requiredScopes', [['a', 7]]],
    ['requiredScopes', [['a b']]],
    ['requiredScopes', [['a"']]],
    ['requiredScopes', [['a\n']]],
    ['requiredScopes', [['x'.repeat(201)]]],
    ['requiredScopes', Array.from({ length: 21 }, () => ['a'])],
    ['requiredScopes', [Array.from({ length: 21 }, () => 'a')]],
    ['requiredScopes', 'a'],
    ['acrValues', []],
    ['acrValues', ['']],
    ['acrValues', 'mfa'],
    ['maxAge', -1],
    ['maxAge', 0.5],
    ['maxAge', '60'],
    ['maxAge', 2 ** 53],
    ['retryAfter', -1],
    ['retryAfter', Number.NaN],
  ])('are left out where they do not fit: %s %j', (name, value) => {
    const { [name as keyof typeof all]: _left, ...others } = all
    expect(readErrorDetails({ ...all, [name]: value })).toEqual(others)
  })

  it('have the same form, whatever they are read from', () => {
    const names = fc.constantFrom(...Object.keys(all))
    fc.assert(
      fc.property(fc.dictionary(names, fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(all)))), (given) => {
        const details = readErrorDetails(given)
        expect(readErrorDetails(details)).toEqual(details)
        expect(Object.keys(details).filter((name) => !Object.hasOwn(all, name))).toEqual([])
        expect(JSON.stringify(details).length).toBeLessThan(100_000)
      }),
    )
  })
})
