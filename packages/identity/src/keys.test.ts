import { hkdfSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { newRootKey } from './fixtures.ts'
import {
  acceptedEpochs,
  deriveContextKeys,
  deriveKey,
  deriveWorkloadKey,
  isReceiverName,
  isRootKey,
  parseKey,
  parseKeys,
} from './keys.ts'

const rootKey = newRootKey()

describe('a name of a receiver', () => {
  it.each(['orders', 'a', 'order_items_2', 'a'.repeat(40)])('may be %j', (name) => {
    expect(isReceiverName(name)).toBe(true)
    expect(deriveKey(rootKey, 'context', name, 1).key).toHaveLength(32)
  })

  it.each(['', 'Orders', '2nd', 'a-b', 'a/1', '../b', ' a', 'a'.repeat(41)])('cannot be %j, nor have keys', (name) => {
    expect(isReceiverName(name)).toBe(false)
    expect(() => deriveContextKeys(rootKey, name, [1])).toThrow('cannot name a receiver')
    expect(() => deriveWorkloadKey(rootKey, name, 1)).toThrow(TypeError)
  })

  it.each(['gateway', 'authority', 'behalf', 'model', 'public', 'postgres', 'pg_orders', 'information_schema'])(
    'cannot be %j, which is taken',
    (name) => {
      expect(isReceiverName(name)).toBe(false)
      expect(isReceiverName(`my_${name}`)).toBe(true)
    },
  )
})

describe('a derived key', () => {
  it.each([
    ['context', 'orders', 1, 'behalf/context/orders/1'],
    ['workload', 'orchestrator', 0, 'behalf/workload/orchestrator/0'],
    ['ticket', null, 12, 'behalf/ticket/12'],
  ] as const)('for %s of %s in epoch %d is HKDF-SHA256 with info %s', (use, name, epoch, info) => {
    const expected = hkdfSync('sha256', Buffer.from(rootKey, 'base64url'), '', info, 32)
    expect(deriveKey(rootKey, use, name, epoch)).toEqual({ epoch, key: Buffer.from(expected) })
  })

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('has no epoch %d', (epoch) => {
    expect(() => deriveKey(rootKey, 'ticket', null, epoch)).toThrow('is not an epoch')
  })

  it('has a root key of 32 bytes at least, spelled the one way that base64url spells them', () => {
    const bytes = (length: number) => Buffer.alloc(length, 7).toString('base64url')
    expect(isRootKey(bytes(32))).toBe(true)
    expect(isRootKey(bytes(33))).toBe(true)
    expect(isRootKey(bytes(31))).toBe(false)
    expect(isRootKey(`${bytes(32)}=`)).toBe(false)
    expect(isRootKey(` ${bytes(32)}`)).toBe(false)
    expect(() => deriveKey(bytes(31), 'ticket', null, 1)).toThrow('32 random bytes')
  })
})

describe('epochs', () => {
  it('are accepted for one more than they are signed in', () => {
    expect(acceptedEpochs(7)).toEqual([7, 6])
    expect(acceptedEpochs(1)).toEqual([1, 0])
    expect(acceptedEpochs(0)).toEqual([0])
  })
})

describe('a value of keys', () => {
  const keys = deriveContextKeys(rootKey, 'orders', [2, 1])

  it('is read as it was printed, with spaces around its parts', () => {
    const expected = [2, 1].map((epoch) => deriveKey(rootKey, 'context', 'orders', epoch))
    expect(parseKeys(keys)).toEqual(expected)
    expect(parseKeys(` ${keys.replace(',', ' , ')}\n`)).toEqual(expected)
    expect(parseKey(deriveWorkloadKey(rootKey, 'orders', 3))).toEqual(deriveKey(rootKey, 'workload', 'orders', 3))
  })

  it('names the one that cannot be read, without its value', () => {
    const faulty = (value: string) => {
      try {
        return parseKeys(value)
      } catch (error) {
        return (error as TypeError).message
      }
    }
    expect(faulty('')).toContain('Key 1 is not')
    expect(faulty(`${keys},secret`)).toContain('Key 3 is not')
    expect(faulty(`${keys},secret`)).not.toContain('secret')
    expect(faulty(`${keys}A`)).toContain('Key 2 is not')
    expect(faulty(keys.slice(0, -1))).toContain('Key 2 is not')
    expect(faulty(keys.replace('2:', ':'))).toContain('Key 1 is not')
    expect(faulty(keys.replace('2:', '1:'))).toBe('Two keys have the same epoch.')
    expect(() => parseKey(keys)).toThrow('Key 1 is not')
  })
})
