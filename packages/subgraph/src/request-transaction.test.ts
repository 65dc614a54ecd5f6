import type { BoundTransaction } from '@behalf/postgres'
import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { RequestTransaction } from './request-transaction.ts'

/** What was asked of the bound transaction, in order. */
let did: string[]
beforeEach(() => {
  did = []
})

function open(more: Partial<BoundTransaction<unknown>> = {}) {
  const asked = (name: string) => async () => void did.push(name)
  const bound = {
    conflicted: false,
    perform: (_effect: unknown, work: () => Promise<unknown>) => work(),
    async savepoint(work: () => Promise<unknown>) {
      did.push('savepoint')
      try {
        const result = await work()
        did.push('release')
        return result
      } catch (error) {
        did.push('rollback to savepoint')
        throw error
      }
    },
    commit: asked('commit'),
    rollback: asked('rollback'),
    end: asked('end'),
    ...more,
  }
  return new RequestTransaction(bound as unknown as BoundTransaction<unknown>)
}
const doing = (name: string) => async () => did.push(name)

describe('a Mutation field', () => {
  it('runs in a savepoint, and has an effect when it is done', async () => {
    const transaction = open()
    expect(transaction.hasEffect).toBe(false)
    const result = transaction.field(async () => doing('work')().then(() => 'value'))
    await expect.poll(() => did).toContain('work')
    await expect(result).resolves.toBe('value')
    expect(did).toEqual(['savepoint', 'work', 'release'])
    expect(transaction.hasEffect).toBe(true)
  })

  it('that fails is undone, has no effect, and leaves the transaction to others', async () => {
    const transaction = open()
    const unhandled = vi.fn<() => void>()
    process.on('unhandledRejection', unhandled)
    try {
      await expect(transaction.field(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
      await setImmediate()
      expect(unhandled).not.toHaveBeenCalled()
    } finally {
      process.off('unhandledRejection', unhandled)
    }
    expect(did).toEqual(['savepoint', 'rollback to savepoint'])
    expect(transaction.hasEffect).toBe(false)
    await transaction.commit()
    expect(did.at(-1)).toBe('commit')
  })

  it('that commits ends its savepoint first, and goes on without', async () => {
    const transaction = open()
    const result = transaction.field(async () => {
      did.push('work')
      await transaction.commit()
      did.push('more')
      await transaction.commit()
      return 'value'
    })
    await expect.poll(() => did).toEqual(['savepoint', 'work', 'release', 'commit', 'more', 'commit'])
    expect(await result).toBe('value')
  })

  it('that fails after it committed has an effect, and the rest is undone', async () => {
    const transaction = open()
    const result = transaction.field(async () => {
      await transaction.commit()
      throw new Error('later')
    })
    await expect(result).rejects.toThrow('later')
    expect(did).toEqual(['savepoint', 'release', 'commit', 'rollback'])
    expect(transaction.hasEffect).toBe(true)
  })

  it('is told where what it committed did not hold', async () => {
    const transaction = open({ commit: () => Promise.reject(new Error('not serialized')) })
    let told: unknown
    const result = transaction.field(() => transaction.commit().catch((error: unknown) => (told = error)))
    await expect(result).rejects.toThrow('not serialized')
    await expect.poll(() => told).toMatchObject({ message: 'not serialized' })
    expect(did).toEqual(['savepoint', 'release', 'rollback'])
  })

  it('is over when it is done: what commits after it commits all', async () => {
    const transaction = open()
    await transaction.field(doing('work'))
    await transaction.commit()
    expect(did).toEqual(['savepoint', 'work', 'release', 'commit'])
  })
})

describe('a transaction', () => {
  it('may be repeated where others are why it failed, unless some of it is durable', async () => {
    expect(open().mayBeRepeated).toBe(false)
    const transaction = open({ conflicted: true })
    expect(transaction.mayBeRepeated).toBe(true)
    await transaction.field(doing('work'))
    expect(transaction.mayBeRepeated).toBe(true)
    await transaction.commit()
    expect([transaction.mayBeRepeated, transaction.hasEffect]).toEqual([false, true])
  })

  it('may be repeated where the conflict turns out at the commit, of which nothing is left', async () => {
    const commit = () => Promise.reject(new Error('not serialized'))
    const transaction = open({ conflicted: true, commit })
    await expect(transaction.commit()).rejects.toThrow('not serialized')
    expect(transaction.mayBeRepeated).toBe(true)
    await expect(transaction.field(() => transaction.commit())).rejects.toThrow('not serialized')
    expect(transaction.mayBeRepeated).toBe(true)
  })

  it('performs and ends as the bound one does', async () => {
    const transaction = open()
    expect(await transaction.perform({ id: '1', request: 'hash' }, async () => 'outcome')).toBe('outcome')
    await transaction.end()
    expect(did).toEqual(['end'])
  })
})
