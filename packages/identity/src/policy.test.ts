import { describe, expect, it } from 'vitest'
import { ada } from './fixtures.ts'
import { requirePolicies } from './policy.ts'
import type { Caller } from './principal.ts'
import { signedInAs, signedInWithin } from './sign-in-policies.ts'

describe('[P6] policies that a schema names', () => {
  it('have to be given, each by itself', () => {
    const given = { a: () => true, b: () => false, c: 'not a function' as never }
    expect(() => requirePolicies('createSubgraph', ['a', 'b', 'a'], given)).not.toThrow()
    expect(() => requirePolicies('createSubgraph', ['x', 'a', 'constructor', 'c', 'x'], given)).toThrow(
      new TypeError(
        'The schema names the policies "c", "constructor", "x", which nobody gave. ' +
          'Give createSubgraph a function for each: policies: { c, constructor, x }.',
      ),
    )
    expect(() => requirePolicies('createGateway', ['x'], {})).toThrow('the policy "x", which nobody gave')
  })
})

const by = (policy: ReturnType<typeof signedInAs>, caller: Partial<Caller>) =>
  policy({ caller: { ...ada, ...caller }, coordinate: 'Query.a', arguments: {} })

describe('signedInWithin', () => {
  const now = 1_763_856_000
  const policy = signedInWithin(300, () => now * 1000 + 999)

  it.each([
    ['now', now, true],
    ['just in time', now - 300, true],
    ['a second too early', now - 301, { maxAge: 300 }],
    ['by a clock ahead of ours', now + 60, true],
    ['in the future, such as in milliseconds', now * 1000, { maxAge: 300 }],
    ['who knows when', null, { maxAge: 300 }],
  ])('signed in %s', (_name, authTime, decision) => {
    expect(by(policy, { authTime })).toEqual(decision)
  })

  it('is told the time by the machine', () => {
    expect(by(signedInWithin(60), { authTime: Math.floor(Date.now() / 1000) })).toBe(true)
    expect(by(signedInWithin(60), { authTime: Math.floor(Date.now() / 1000) - 120 })).toEqual({ maxAge: 60 })
  })

  it.each([0, -1, 1.5, Number.NaN, Infinity])('takes no %s', (seconds) => {
    expect(() => signedInWithin(seconds)).toThrow(TypeError)
  })
})

describe('signedInAs', () => {
  const policy = signedInAs(['mfa', 'phr'])

  it.each([
    ['mfa', true],
    ['phr', true],
    ['pwd', { acrValues: ['mfa', 'phr'] }],
    [null, { acrValues: ['mfa', 'phr'] }],
  ])('signed in as %s', (acr, decision) => {
    expect(by(policy, { acr })).toEqual(decision)
  })

  it('takes no empty list', () => expect(() => signedInAs([])).toThrow(TypeError))
})
