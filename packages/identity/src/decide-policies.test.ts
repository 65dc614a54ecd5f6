import { afterEach, describe, expect, it, vi } from 'vitest'
import { createPolicyDecisions, policyTimeout } from './decide-policies.ts'
import { ada } from './fixtures.ts'
import type { Policies, PolicyRequest } from './policy.ts'
import { anonymousSubject, type Caller } from './principal.ts'

const policies: Policies = {
  yes: () => true,
  no: () => false,
  later: async () => true,
  small: ({ arguments: { amount } }) => Number(amount) < 100,
  young: () => ({ maxAge: 60 }),
  younger: () => ({ maxAge: 30 }),
  strong: () => ({ acrValues: ['mfa', 'phr'] }),
  hard: () => ({ acrValues: ['phr'] }),
  other: () => ({ acrValues: ['other'] }),
  throws: () => {
    throw new Error('hunter2')
  },
  rejects: async () => Promise.reject(new Error('hunter2')),
}
const nobody: Caller = { ...ada, subject: anonymousSubject }

const decide = (sets: string[][], given: Record<string, unknown> = {}, caller: Caller = ada, of: Policies = policies) =>
  createPolicyDecisions(of, caller).decide(sets, 'Mutation.transfer', given)
const codeOf = async (...parts: Parameters<typeof decide>) => (await decide(...parts))?.code ?? null

describe('[P6] a policy', () => {
  it.each<[string, string[][], string | null]>([
    ['one that passes', [['yes']], null],
    ['one that takes its time', [['later']], null],
    ['one that does not', [['no']], 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['both of a set', [['yes', 'later']], null],
    ['half of a set', [['yes', 'no']], 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['one of two sets', [['no'], ['yes']], null],
    ['none of two sets', [['no'], ['yes', 'no']], 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['an empty set', [[]], 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['no sets, which asks nothing', [], null],
    ['one that throws', [['throws']], 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['one that rejects', [['rejects']], 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['one that nobody gave', [['missing']], 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['one that every object has', [['toString']], 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['one that fails beside one that passes', [['throws'], ['yes']], null],
  ])('passes by true, and by nothing else: %s', async (_name, sets, code) => {
    expect(await codeOf(sets)).toBe(code)
  })

  it.each([1, 'true', 'yes', null, undefined, {}, [], () => true, new Error('x'), { maxAge: 60, x: 1 }])(
    'does not pass by %s',
    async (decision) => {
      const given = { p: () => decision } as unknown as Policies
      expect(await codeOf([['p']], {}, ada, given)).toBe('UNAUTHORIZED_FIELD_OR_TYPE')
    },
  )

  it('says why it could not be decided to the log, and not to the caller', async () => {
    const refusal = await decide([['throws']])
    expect(refusal).toMatchObject({
      message: 'You may not see or do this.',
      details: {},
      rule: '@policy(policies: [["throws"]])',
    })
    expect(refusal?.cause?.message).toBe('policy "throws" of Mutation.transfer failed')
    expect(refusal?.cause?.cause).toMatchObject({ message: 'hunter2' })
    expect((await decide([['no']]))?.cause).toBeUndefined()
  })

  it('is told who calls, what, and with which arguments', async () => {
    const seen: PolicyRequest[] = []
    const p = (request: PolicyRequest) => seen.push(request) > 0
    await decide([['p']], { input: { to: ['a'] } }, ada, { p })
    expect(seen).toEqual([{ caller: ada, coordinate: 'Mutation.transfer', arguments: { input: { to: ['a'] } } }])
    expect(seen[0]?.caller).toBe(ada)
  })

  it('cannot change the arguments', async () => {
    const given = { input: { amount: 1, tags: ['a'] } }
    const p = ({ arguments: { input } }: PolicyRequest) => {
      Object.assign(input as object, { amount: 2 })
      return true
    }
    expect(await codeOf([['p']], given, ada, { p })).toBe('UNAUTHORIZED_FIELD_OR_TYPE')
    expect(given).toEqual({ input: { amount: 1, tags: ['a'] } })
  })

  it('decides by arguments', async () => {
    expect(await codeOf([['small']], { amount: 99 })).toBeNull()
    expect(await codeOf([['small']], { amount: 100 })).toBe('UNAUTHORIZED_FIELD_OR_TYPE')
  })
})

describe('[P6] in one request', () => {
  it('a policy is asked once for the same place and arguments, however these came to be', async () => {
    let asked = 0
    const p = () => ++asked > 0
    const { decide } = createPolicyDecisions({ p }, ada)
    const literal = Object.assign(Object.create(null) as object, { at: new Date(0), to: Object.create(null) as object })
    await Promise.all([
      decide([['p']], 'A.x', literal as never),
      decide([['p'], ['p']], 'A.x', { at: new Date(0), to: {} }),
    ])
    expect(asked).toBe(1)
    await decide([['p']], 'A.x', { at: new Date(1), to: {} })
    await decide([['p']], 'A.y', literal)
    expect(asked).toBe(3)
    await createPolicyDecisions({ p }, ada).decide([['p']], 'A.x', literal)
    expect(asked).toBe(4)
  })

  it('policies that cannot matter any more are not asked', async () => {
    const asked: string[] = []
    const record = (name: string, decision: boolean) => () => asked.push(name) > 0 && decision
    const given = { a: record('a', false), b: record('b', true), c: record('c', true) }
    await decide([['a', 'b'], ['c'], ['b']], {}, ada, given)
    expect(asked).toEqual(['a', 'c'])
  })
})

describe('[P6] a step-up', () => {
  it.each<[string, string[][], unknown]>([
    ['says what would do', [['young']], { maxAge: 60 }],
    ['together with what passes', [['yes', 'strong']], { acrValues: ['mfa', 'phr'] }],
    ['of two', [['young', 'strong']], { maxAge: 60, acrValues: ['mfa', 'phr'] }],
    ['of two that say the same', [['young', 'younger', 'strong', 'hard']], { maxAge: 30, acrValues: ['phr'] }],
    ['of the first of two ways', [['no'], ['strong'], ['young']], { acrValues: ['mfa', 'phr'] }],
  ])('%s', async (_name, sets, details) => {
    expect(await decide(sets)).toMatchObject({ code: 'STEP_UP_REQUIRED', details })
  })

  it.each([
    ['another way passes', [['young'], ['yes']], null],
    ['nothing helps', [['young', 'no']], 'UNAUTHORIZED_FIELD_OR_TYPE'],
    ['no way of signing in would do', [['hard', 'other']], 'UNAUTHORIZED_FIELD_OR_TYPE'],
  ])('is not asked for where %s', async (_name, sets, code) => {
    expect(await codeOf(sets)).toBe(code)
  })

  it.each([
    { maxAge: -1 },
    { maxAge: 1.5 },
    { maxAge: '60' },
    { acrValues: [] },
    { acrValues: ['a b'] },
    { acrValues: 'a' },
  ])('that is not one denies: %j', async (decision) => {
    expect(await codeOf([['p']], {}, ada, { p: () => decision as never })).toBe('UNAUTHORIZED_FIELD_OR_TYPE')
  })

  it('is for those who signed in: others are to sign in first', async () => {
    expect(await codeOf([['young']], {}, nobody)).toBe('UNAUTHENTICATED')
    expect(await codeOf([['no']], {}, nobody)).toBe('UNAUTHORIZED_FIELD_OR_TYPE')
    expect(await codeOf([['yes']], {}, nobody)).toBeNull()
  })
})

describe('[P6] a policy that does not answer', () => {
  afterEach(() => vi.useRealTimers())

  it('denies after a while', async () => {
    vi.useFakeTimers()
    const refused = decide([['p']], {}, ada, { p: () => new Promise<never>(() => undefined) })
    const inTime = decide([['p']], {}, ada, {
      p: () => new Promise((resolve) => setTimeout(() => resolve(true), policyTimeout - 1)),
    })
    await vi.advanceTimersByTimeAsync(policyTimeout)
    expect(await refused).toMatchObject({ code: 'UNAUTHORIZED_FIELD_OR_TYPE' })
    expect(await inTime).toBeNull()
    expect(vi.getTimerCount()).toBe(0)
  })
})
