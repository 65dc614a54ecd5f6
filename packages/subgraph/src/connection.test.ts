import { describe, expect, test } from 'vitest'
import { pageSize, readConnection, type Page, type Position } from './connection.ts'

const rows: readonly Position[] = Array.from({ length: 45 }, (_, index) => ({
  // Every five share a moment, so that only the id tells them apart.
  at: new Date(Date.UTC(2026, 0, 10 - Math.floor(index / 5))),
  id: `ord_${String(99 - index)}`,
}))

const after = (row: Position, { at, id }: Position) => row.at < at || (row.at.getTime() === at.getTime() && row.id < id)

const read = ({ limit, position }: Page) =>
  Promise.resolve(rows.filter((row) => position === null || after(row, position)).slice(0, limit))

const page = (first?: number | null, cursor?: string | null) =>
  readConnection({ first: first ?? null, after: cursor ?? null }, read, (row) => row)

describe('readConnection', () => {
  test('pages through everything once, in order', async () => {
    const seen: string[] = []
    let cursor: string | null = null
    let more = true
    while (more) {
      const { edges, pageInfo } = await page(7, cursor)
      expect(pageInfo.hasPreviousPage).toBe(cursor !== null)
      expect(pageInfo.startCursor).toBe(edges[0]?.cursor)
      seen.push(...edges.map(({ node }) => node.id))
      cursor = pageInfo.endCursor
      more = pageInfo.hasNextPage
    }
    expect(seen).toEqual(rows.map(({ id }) => id))
  })

  test('has 20 rows by default and says when there are no more', async () => {
    expect((await page()).edges).toHaveLength(20)
    expect((await page(45)).pageInfo.hasNextPage).toBe(false)
    expect((await page(44)).pageInfo.hasNextPage).toBe(true)
  })

  test('an empty list has no cursors', async () => {
    const { edges, pageInfo } = await readConnection<Position>(
      {},
      () => Promise.resolve([]),
      (row) => row,
    )
    expect(edges).toEqual([])
    expect(pageInfo).toEqual({
      hasNextPage: false,
      hasPreviousPage: false,
      startCursor: null,
      endCursor: null,
    })
  })

  test.each([0, -1, 101, 1.5, Number.NaN])('first: %s is refused', (first) => {
    expect(() => pageSize(first)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }))
  })

  test('a number that is refused is named', () => {
    expect(() => pageSize(0)).toThrow('"first" is a whole number from 1 to 100.')
    expect(() => pageSize(0, 'last')).toThrow('"last" is a whole number from 1 to 100.')
    expect(pageSize(1, 'last')).toBe(1)
  })

  test('first: 1 and first: 100 are accepted', () => {
    expect([pageSize(1), pageSize(100), pageSize(null), pageSize(undefined)]).toEqual([1, 100, 20, 20])
  })

  const text = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const good = text([Date.UTC(2026, 0, 5), 'ord_80'])

  test.each([
    ['nothing', ''],
    ['no base64url', '%%%'],
    ['no JSON', Buffer.from('{').toString('base64url')],
    ['another shape', text({ at: 1, id: 'x' })],
    ['three parts', text([1, 'x', 'y'])],
    ['a text for the moment', text(['2026-01-01', 'x'])],
    ['a moment past all calendars', text([9e15, 'x'])],
    ['a moment past what PostgreSQL reads', text([-8e15, 'x'])],
    ['a zero byte', text([1, 'a\0b'])],
    ['padding', `${good}=`],
    ['another spelling', Buffer.from(' [1,"x"]').toString('base64url')],
    ['too much', text([1, 'x'.repeat(300)])],
    ['one letter more than the most', text([1, 'x'.repeat(188)])],
    ['nothing as JSON', text(null)],
    ['a list for the id', text([1, ['x']])],
    ['a number for the id', text([1, 5])],
    ['a year of five digits', text([Date.UTC(10_000, 0), 'x'])],
    ['a year before the first', text([new Date('0000-12-31').getTime(), 'x'])],
  ])('a cursor with %s is refused', async (_what, cursor) => {
    await expect(page(10, cursor)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' })
  })

  test('the same cursor, as it should be, is accepted', async () => {
    expect((await page(10, good)).edges).toHaveLength(10)
    for (const at of [new Date('0001-01-01'), new Date('9999-12-31')])
      await expect(page(10, text([at.getTime(), 'x']))).resolves.toBeDefined()
    const longest = text([1, 'x'.repeat(186)])
    expect(longest).toHaveLength(256)
    await expect(page(10, longest)).resolves.toBeDefined()
  })
})
