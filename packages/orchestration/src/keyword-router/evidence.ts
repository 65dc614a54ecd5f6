/** A value that stands in a text, with its type: what alone may fill an argument. */
export interface Evidence {
  readonly kind: 'quoted' | 'date' | 'id' | 'number' | 'address'
  /** As written, without quotes. */
  readonly text: string
  /** The word before it, in lower case. */
  readonly before: string
}

// Each begins where a token begins, so that a long text is read in time that grows with its length.
const kinds: readonly (readonly [Evidence['kind'], RegExp])[] = [
  ['quoted', /"([^"]{1,500})"|“([^”]{1,500})”|(?<![\p{L}\p{N}])'([^']{1,500})'(?![\p{L}\p{N}])/u],
  ['address', /(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\bhttps?:\/\/\S+/],
  ['date', /\b\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?(?![\w-])/],
  ['id', /\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/i],
  ['id', /(?<![\w-])[A-Za-z0-9][A-Za-z0-9-]*_[\w-]+|(?<![\w-])[A-Za-z]+-[A-Za-z0-9-]*\d[A-Za-z0-9-]*/],
  ['number', /(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])|(?<![\w.])-?\d+(?:\.\d+)?(?!\w)/],
  ['id', /#?\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{3,}\b/],
]

const numberWords = new Map(
  'one two three four five six seven eight nine ten eleven twelve'
    .split(' ')
    .map((word, index) => [word, String(index + 1)]),
)

/** Takes the values out of a text; what remains are words. */
export function readEvidence(text: string): { readonly values: readonly Evidence[]; readonly rest: string } {
  const found: { at: number; kind: Evidence['kind']; text: string }[] = []
  let rest = text
  for (const [kind, pattern] of kinds) {
    for (const match of rest.matchAll(new RegExp(pattern, `${pattern.flags}g`))) {
      const [whole, ...inner] = match
      found.push({
        at: match.index,
        kind,
        text: kind === 'number' ? whole.replaceAll(',', '') : (inner.find((part) => part !== undefined) ?? whole),
      })
      // Of the same length, so that positions stay.
      rest = rest.slice(0, match.index) + ' '.repeat(whole.length) + rest.slice(match.index + whole.length)
    }
  }
  rest = rest.replaceAll(/\p{L}+/gu, (word, at: number) => {
    const digits = numberWords.get(word.toLowerCase())
    if (digits === undefined) return word
    found.push({ at, kind: 'number', text: digits })
    return ' '.repeat(word.length)
  })
  const values = found
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, kind, text: value }) => ({
      kind,
      text: value,
      before: /(\p{L}+)\P{L}*$/u.exec(text.slice(Math.max(0, at - 40), at))?.[1]?.toLowerCase() ?? '',
    }))
  return { values, rest }
}

/** `ord_` of `ord_7Kx2`; null for an id without such a beginning. */
export function idPrefix(id: string): string | null {
  return /^([A-Za-z]+)[_-]/.exec(id)?.[1]?.toLowerCase() ?? null
}
