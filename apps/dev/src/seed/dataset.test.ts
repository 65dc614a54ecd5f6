import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createDataset } from './dataset.ts'
import { demoUsers } from './demo-users.ts'

const dataset = createDataset()
const users = dataset['identity.users']
const orders = dataset['orders.orders']
const items = dataset['orders.order_items']
const shipments = dataset['orders.shipments']
const accounts = dataset['balance.accounts']
const entries = dataset['balance.entries']
const payees = dataset['balance.payees']

const cents = (decimal: string) => BigInt(decimal.replace('.', ''))
const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n)
const tenantOf = new Map(users.map(({ id, tenant }) => [id, tenant]))

describe('createDataset', () => {
  test('makes the same data every time', () => {
    const hash = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex')
    expect(hash(createDataset())).toBe(hash(dataset))
  })

  test('makes as much as it says, and every id once', () => {
    expect(users).toHaveLength(demoUsers.length + 500)
    expect(orders).toHaveLength(5000)
    expect(entries).toHaveLength(20_000)
    for (const rows of [users, orders, accounts, entries, payees]) {
      expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
    }
  })

  test('knows the demo users', () => {
    expect(users.slice(0, 4).map(({ id, tenant, tier }) => [id, tenant, tier])).toEqual([
      ['usr_ada', 'acme', 'premium'],
      ['usr_ben', 'acme', 'basic'],
      ['usr_chloe', 'globex', 'premium'],
      ['usr_sam', 'acme', 'support'],
    ])
  })

  test('gives Ada orders in all statuses, and the one that examples ask for', () => {
    const hers = orders.filter(({ user_id }) => user_id === 'usr_ada')
    expect(hers.length).toBeGreaterThanOrEqual(8)
    expect(new Set(hers.map(({ status }) => status))).toEqual(
      new Set(['PLACED', 'PROCESSING', 'SHIPPED', 'DELIVERED', 'CANCELLED']),
    )
    expect(hers.find(({ id }) => id === 'ord_7Kx2')?.status).toBe('SHIPPED')
    expect(shipments.find(({ order_id }) => order_id === 'ord_7Kx2')?.status).toBe('IN_TRANSIT')
    for (const user of ['usr_ben', 'usr_chloe']) {
      expect(orders.filter(({ user_id }) => user_id === user).length).toBeGreaterThan(3)
    }
  })

  test('orders cost what their items cost, and are shipped when they say so', () => {
    const itemsOf = Map.groupBy(items, ({ order_id }) => order_id)
    const shipped = new Set(shipments.map(({ order_id }) => order_id))
    for (const { id, total, status } of orders) {
      const costs = (itemsOf.get(id) ?? []).map(({ quantity, unit_price }) => BigInt(quantity) * cents(unit_price))
      expect(sum(costs)).toBe(cents(total))
      expect(shipped.has(id)).toBe(status === 'SHIPPED' || status === 'DELIVERED')
    }
  })

  test('entries add up to the balance, step by step, and never below nothing', () => {
    const entriesOf = Map.groupBy(entries, ({ account_id }) => account_id)
    for (const { id, balance } of accounts) {
      let held = 0n
      let last = ''
      for (const { amount, balance_after, booked_at } of entriesOf.get(id) ?? []) {
        held += cents(amount)
        expect(cents(balance_after)).toBe(held)
        expect(held).toBeGreaterThanOrEqual(0n)
        expect(booked_at >= last).toBe(true)
        last = booked_at
      }
      expect(cents(balance)).toBe(held)
    }
  })

  test('transfers have two sides that cancel out, within one tenant', () => {
    const tenantOfAccount = new Map(accounts.map(({ id, user_id }) => [id, tenantOf.get(user_id)]))
    const transfers = Map.groupBy(
      entries.filter(({ kind }) => kind === 'TRANSFER'),
      ({ transfer }) => transfer,
    )
    expect(transfers.size).toBeGreaterThan(1000)
    for (const sides of transfers.values()) {
      expect(sides).toHaveLength(2)
      expect(sum(sides.map(({ amount }) => cents(amount)))).toBe(0n)
      expect(new Set(sides.map(({ account_id }) => account_id)).size).toBe(2)
      expect(new Set(sides.map(({ account_id }) => tenantOfAccount.get(account_id))).size).toBe(1)
    }
  })

  test('payees are others of the same tenant, each once', () => {
    const userOfAccount = new Map(accounts.map(({ id, user_id }) => [id, user_id]))
    for (const { user_id, account_id } of payees) {
      const other = userOfAccount.get(account_id) ?? ''
      expect(other).not.toBe(user_id)
      expect(tenantOf.get(other)).toBe(tenantOf.get(user_id))
    }
    expect(new Set(payees.map(({ user_id, account_id }) => `${user_id} ${account_id}`)).size).toBe(payees.length)
    expect(payees.some(({ user_id, name }) => user_id === 'usr_ada' && name === 'Ben')).toBe(true)
  })
})
