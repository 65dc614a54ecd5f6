import { AppError } from '@behalf/identity'

/** Arguments of a connection field, as a client gave them. */
export interface ConnectionArguments {
  readonly first?: number | null
  readonly after?: string | null
}

/** A connection as the Relay cursor connections specification has it, forward only. */
export interface Connection<Node> {
  readonly edges: readonly { readonly cursor: string; readonly node: Node }[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
  /** Rows that were read and are on no page, so that whose they are can be looked at: `hasNextPage` tells of them. */
  readonly [beyondPage]?: readonly Node[]
}

/** For this package only: not exported, and no field of a graph can have this name. */
export const beyondPage = Symbol('beyondPage')

/** What to read for a page: at most `limit` rows that come after `position`. */
export interface Page {
  /** One more than was asked for: that row tells whether there is a next page. */
  readonly limit: number
  readonly position: Position | null
}

/** Where a row stands in an order by a moment and, because moments repeat, the row's id. */
export interface Position {
  readonly at: Date
  readonly id: string
}

const largestPage = 100
const defaultPage = 20
const longestCursor = 256

/**
 * Reads one page by position ("keyset"), not by offset: it costs the same on page 1 and page 1,000, and rows that
 * are added meanwhile neither repeat nor hide others.
 *
 * A cursor is opaque to clients and not secret. It is data, never authority: a made-up one is at most another
 * position among the rows that the caller can read anyway.
 *
 * @param read Rows after `page.position` (all of them if null), in order, at most `page.limit`.
 * @param positionOf Where a row stands. `at` must be exact in milliseconds (`timestamptz(3)`).
 * @throws AppError `BAD_USER_INPUT` if `first` is not 1 to 100 or `after` is not a cursor of ours.
 * Source: Relay cursor connections specification, sections 2 to 5.
 */
export async function readConnection<Row>(
  { first, after }: ConnectionArguments,
  read: (page: Page) => Promise<readonly Row[]>,
  positionOf: (row: Row) => Position,
): Promise<Connection<NoInfer<Row>>> {
  const size = pageSize(first)
  const position = after === null || after === undefined ? null : decodeCursor(after)
  const rows = await read({ limit: size + 1, position })
  const edges = rows.slice(0, size).map((node) => ({ cursor: encodeCursor(positionOf(node)), node }))
  return {
    edges,
    pageInfo: {
      hasNextPage: rows.length > size,
      hasPreviousPage: position !== null,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    [beyondPage]: rows.slice(size),
  }
}

/**
 * The number of rows that `first`, or another argument of that name, asks for: 20 by default, 1 to 100.
 *
 * @throws AppError `BAD_USER_INPUT` for any other number.
 */
export function pageSize(value: number | null | undefined, name = 'first'): number {
  const size = value ?? defaultPage
  if (!Number.isInteger(size) || size < 1 || size > largestPage) {
    throw new AppError('BAD_USER_INPUT', `"${name}" is a whole number from 1 to ${largestPage}.`)
  }
  return size
}

function encodeCursor({ at, id }: Position): string {
  return Buffer.from(JSON.stringify([at.getTime(), id])).toString('base64url')
}

function decodeCursor(cursor: string): Position {
  const position = cursor.length <= longestCursor ? readPosition(cursor) : null
  // Only the one text that we would have written: base64url and JSON both have many spellings of the same value.
  if (position === null || encodeCursor(position) !== cursor) {
    throw new AppError('BAD_USER_INPUT', '"after" is not a cursor of this list; use one from its pageInfo or edges.')
  }
  return position
}

function readPosition(cursor: string): Position | null {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    return null
  }
  if (!Array.isArray(value) || value.length !== 2) return null
  const [at, id] = value as readonly unknown[]
  if (typeof at !== 'number' || typeof id !== 'string') return null
  const date = new Date(at)
  // Years 1 to 9999: what PostgreSQL and ISO 8601 agree on.
  const year = date.getUTCFullYear()
  return year >= 1 && year <= 9999 && !id.includes('\0') ? { at: date, id } : null
}
