import { AppError } from '@behalf/identity'
import { pageSize, type Connection } from '@behalf/subgraph'

export interface PageArguments {
  readonly first?: number | null
  readonly after?: string | null
  readonly last?: number | null
  readonly before?: string | null
}

/** Rows to read: between two positions, from one end. */
export interface Range {
  readonly after: number | null
  readonly before: number | null
  /** `desc`: the last ones are asked for. */
  readonly order: 'asc' | 'desc'
  readonly limit: number
}

/**
 * Reads one page of rows that are numbered, forward (`first`, `after`) or backward (`last`, `before`); always given
 * in ascending order.
 *
 * @throws AppError `BAD_USER_INPUT` if both directions are asked for, a size is not 1 to 100, or a cursor is not ours.
 * Source: Relay cursor connections specification, section 4.
 */
export async function readNumberedPage<Row extends { readonly position: number }>(
  { first, after, last, before }: PageArguments,
  read: (range: Range) => Promise<readonly Row[]>,
): Promise<Connection<Row>> {
  if (first != null && last != null)
    throw new AppError('BAD_USER_INPUT', 'Ask for "first" or for "last", not for both.')
  const backward = last != null || (before != null && first == null)
  const size = backward ? pageSize(last, 'last') : pageSize(first)
  const range = {
    after: readCursor(after),
    before: readCursor(before),
    order: backward ? 'desc' : 'asc',
    limit: size + 1,
  } as const
  const rows = await read(range)
  const more = rows.length > size
  const page = backward ? rows.slice(0, size).toReversed() : rows.slice(0, size)
  const edges = page.map((node) => ({ cursor: cursorOf(node.position), node }))
  return {
    edges,
    pageInfo: {
      hasNextPage: backward ? range.before !== null : more,
      hasPreviousPage: backward ? more : range.after !== null,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  }
}

function cursorOf(position: number): string {
  return Buffer.from(`m${position}`).toString('base64url')
}

function readCursor(cursor: string | null | undefined): number | null {
  if (cursor == null) return null
  const text = cursor.length <= 32 ? Buffer.from(cursor, 'base64url').toString('latin1') : ''
  const number = /^m[1-9]\d{0,9}$/.test(text) ? Number(text.slice(1)) : 0
  // Only the one text that we would have written.
  if (number === 0 || number > 2_147_483_647 || cursorOf(number) !== cursor) {
    throw new AppError('BAD_USER_INPUT', 'A cursor is not of this list; use one from its pageInfo or edges.')
  }
  return number
}
