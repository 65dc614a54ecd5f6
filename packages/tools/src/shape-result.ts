/** Most bytes of a result as JSON. */
export const maxResultBytes = 16 * 1024

/** A result that fits; null where no list is left to shorten. */
export type ShapedResult = { readonly result: unknown; readonly truncated: boolean } | null

interface FoundList {
  readonly items: unknown[]
  readonly parent: unknown
  readonly bytes: number
}

/**
 * Makes `data` fit into `maxBytes` of JSON by dropping whole trailing items of the longest list (the one with most
 * bytes), again and again. JSON is never cut. Page information next to a shortened list is corrected, so that the
 * next page starts with what was dropped.
 */
export function shapeResult(data: unknown, maxBytes = maxResultBytes): ShapedResult {
  let excess = bytesOf(data) - maxBytes
  if (excess <= 0) return { result: data, truncated: false }
  const result = structuredClone(data)
  while (excess > 0) {
    const longest = findLists(result).reduce<FoundList | null>(
      (best, list) => (best && best.bytes >= list.bytes ? best : list),
      null,
    )
    if (!longest) return null
    let dropped = 0
    while (longest.items.length > 0 && dropped < excess) dropped += bytesOf(longest.items.pop()) + 1
    correctPage(longest)
    excess = bytesOf(result) - maxBytes
  }
  return { result, truncated: true }
}

/** Every list that has items. */
function findLists(value: unknown, parent: unknown = null): FoundList[] {
  if (typeof value !== 'object' || value === null) return []
  const inner = Object.values(value).flatMap((item) => findLists(item, value))
  return Array.isArray(value) && value.length > 0 ? [{ items: value, parent, bytes: bytesOf(value) }, ...inner] : inner
}

/** GraphQL Cursor Connections: `endCursor` is that of the last edge, `hasNextPage` that there is more. */
function correctPage({ items, parent }: FoundList): void {
  if (!isRecord(parent) || !isRecord(parent['pageInfo'])) return
  const page = parent['pageInfo']
  const last = items.at(-1)
  if ('hasNextPage' in page) page['hasNextPage'] = true
  if ('endCursor' in page)
    page['endCursor'] = isRecord(last) && typeof last['cursor'] === 'string' ? last['cursor'] : null
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? 'null')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
