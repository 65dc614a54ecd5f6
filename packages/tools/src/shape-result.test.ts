import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maxResultBytes, shapeResult } from './shape-result.ts'

const shapedResult = (shaped: ReturnType<typeof shapeResult>): unknown => shaped?.result
const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

describe('shapeResult', () => {
  it('leaves alone what fits, to the byte', () => {
    const data = { text: '' }
    data.text = 'x'.repeat(maxResultBytes - bytes(data))
    expect(shapeResult(data)).toEqual({ result: data, truncated: false })
    data.text += 'x'
    expect(shapeResult(data)).toBeNull()
  })

  it('drops whole items from the end of the longest list only', () => {
    const short = [{ id: 1 }, { id: 2 }]
    const long = Array.from({ length: 100 }, (_, index) => ({ index, text: 'x'.repeat(50) }))
    const shaped = shapeResult({ short, long }, 2000)
    const result = shapedResult(shaped) as { short: unknown[]; long: unknown[] }
    expect(shaped?.truncated).toBe(true)
    expect(result.short).toEqual(short)
    expect(result.long).toEqual(long.slice(0, result.long.length))
    expect(result.long.length).toBeGreaterThan(10)
    expect(long).toHaveLength(100)
  })

  it('makes the next page start with what was dropped', () => {
    const edges = Array.from({ length: 50 }, (_, index) => ({ cursor: `c${index}`, node: { text: 'x'.repeat(50) } }))
    const shaped = shapeResult({ orders: { edges, pageInfo: { hasNextPage: false, endCursor: 'c49' } } }, 1000)
    const { orders } = shapedResult(shaped) as { orders: { edges: { cursor: string }[]; pageInfo: unknown } }
    expect(orders.pageInfo).toEqual({ hasNextPage: true, endCursor: orders.edges.at(-1)?.cursor })
    const bare = shapeResult(
      { orders: { edges: edges.map(({ node }) => ({ node })), pageInfo: { endCursor: 'c49' } } },
      1000,
    )
    expect(bare?.result).toMatchObject({ orders: { pageInfo: { endCursor: null } } })
  })

  it('always fits, and every list is a beginning of what it was', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.string())), fc.integer({ min: 2, max: 400 }), (lists, max) => {
        const shaped = shapeResult(lists, max)
        expect(shaped).not.toBeNull()
        expect(bytes(shaped?.result)).toBeLessThanOrEqual(max)
        expect(shaped?.truncated).toBe(bytes(lists) > max)
        ;(shapedResult(shaped) as string[][]).forEach((list, index) =>
          expect(lists[index]?.slice(0, list.length)).toEqual(list),
        )
      }),
    )
  })
})
