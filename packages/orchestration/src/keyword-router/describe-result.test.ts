import { expect, test } from 'vitest'
import { describeResult } from './describe-result.ts'

test('an object', () => {
  expect(describeResult({ viewer: { balance: { amount: '1250.00', currency: 'EUR' } } }, false)).toMatch(
    /^Balance: amount 1250\.00, currency EUR\.$/,
  )
})

test('a larger object', () => {
  const order = {
    id: 'ord_1',
    status: 'SHIPPED',
    placedAt: '2026-03-01T09:30:00.000Z',
    shipment: { carrier: 'DHL', deliveredAt: null },
  }
  expect(describeResult({ order }, false)).toContain(
    'Order:\n- id: ord_1\n- status: SHIPPED\n- placed at: 2026-03-01 09:30 UTC\n- shipment: carrier DHL',
  )
})

test('a connection', () => {
  const edges = ['ord_1', 'ord_2'].map((id) => ({ node: { id, total: '9.90' } }))
  const text = describeResult({ viewer: { orders: { edges, pageInfo: { hasNextPage: true, endCursor: 'x' } } } }, false)
  expect(text).toContain(
    'Orders (2):\n- id ord_1, total 9.90\n- id ord_2, total 9.90\nThere is more than is shown here.',
  )
})

test('nothing', () => {
  expect(describeResult({ order: null }, false)).toMatch(/^Nothing was found\./)
  expect(describeResult({ viewer: null }, false)).toMatch(/^Nothing was found\./)
  expect(describeResult({ viewer: { orders: { edges: [] } } }, false)).toMatch(/^Orders: none\./)
})

test('what was cut off is said to be', () => {
  expect(describeResult({ orders: { nodes: [{ id: 'ord_1' }] } }, true)).toMatch(/There is more than is shown here\.$/)
})

test('long and many values are shown in part', () => {
  const text = describeResult(
    { viewer: { notes: { nodes: Array.from({ length: 50 }, () => ({ note: 'x'.repeat(5000) })) } } },
    false,
  )
  expect(text.length).toBeLessThan(5000)
  expect(text).toMatch(/There is more than is shown here\.$/)
})
