import type { Identity } from '@behalf/identity'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { caller } from '../fixtures/shop.ts'
import { callerSettings } from './caller.ts'
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

describe('[P7] what a transaction is told', () => {
  it('of a caller is who it is, in which tenant, with which scopes, and whether an agent acts', () => {
    expect(callerSettings(caller('usr_ada', { scopes: ['a:b', 'c'], agent: 'assistant' }))).toEqual({
      sub: 'usr_ada',
      tenant: 'acme',
      scopes: 'a:b c',
      actor: 'assistant',
    })
    expect(callerSettings(caller('usr_ada'))).toEqual({ sub: 'usr_ada', tenant: 'acme', scopes: '', actor: '' })
  })

  it('of a stored caller holds no scope', () => {
    expect(callerSettings(storedCaller({ subject: 'usr_ada', tenant: 'acme' }))).toEqual({
      sub: 'usr_ada',
      tenant: 'acme',
      scopes: '',
      actor: '',
    })
  })

  it('of nobody is nothing, whatever else is said of them; without a tenant there is none', () => {
    const nobody = { sub: '', tenant: '', scopes: '', actor: '' }
    const anonymous = { ...caller('anonymous', { scopes: ['a'], agent: 'assistant' }), tenant: 'acme' }
    expect(callerSettings(anonymous as unknown as Identity)).toEqual(nobody)
    const homeless = { ...caller('usr_ada'), tenant: null } as unknown as Identity
    expect(callerSettings(homeless)).toEqual({ ...nobody, sub: 'usr_ada' })
  })

  it.each([
    ['an agent without a name, who would pass for a human', { agent: '' }],
    ['a scope with a space, which would pass for two', { scopes: ['a', 'b c'] }],
    ['a scope with another space', { scopes: ['b\tc'] }],
    ['an empty scope', { scopes: [''] }],
  ])('is never of %s', (_what, more) => {
    expect(() => callerSettings(caller('usr_ada', more))).toThrow(/has a name|has no spaces/)
  })
})
