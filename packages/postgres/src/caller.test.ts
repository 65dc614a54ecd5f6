import type { Identity } from '@behalf/identity'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { storedCaller, type Postgres, type StoredCaller } from './index.ts'

type Caller = Parameters<Postgres<object>['bind']>[0]
/** The same properties, but for the brand. */
type Plain<T> = { readonly [K in Extract<keyof T, string>]: T[K] }

// Checked by the compiler, not at run time.
describe('a caller', () => {
  it('is not whatever has all the right properties: somebody must have said who it is', () => {
    expectTypeOf<Plain<Identity>>().not.toExtend<Caller>()
    expectTypeOf<Plain<StoredCaller>>().not.toExtend<Caller>()
    expectTypeOf<{ subject: string; tenant: string }>().not.toExtend<Caller>()
    expectTypeOf<StoredCaller>().not.toExtend<Identity>()
    expectTypeOf<Identity>().not.toExtend<StoredCaller>()
  })

  it('is an identity, or a stored one', () => {
    expectTypeOf<Identity>().toExtend<Caller>()
    expectTypeOf(storedCaller).returns.toExtend<Caller>()
  })
})

describe('a stored caller', () => {
  it.each([
    ['', 'acme'],
    ['usr_ada', ''],
    ['anonymous', 'acme'],
  ])('is a known user, not "%s" of "%s"', (subject, tenant) => {
    expect(() => storedCaller({ subject, tenant })).toThrow('a known user')
  })

  it('cannot be changed', () => {
    const stored = storedCaller({ subject: 'usr_ada', tenant: 'acme' })
    expect(Object.isFrozen(stored)).toBe(true)
    expect(stored).toEqual({ subject: 'usr_ada', tenant: 'acme' })
  })
})
