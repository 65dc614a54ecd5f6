/** A question taken apart: every piece of it is a word or a value. */
export interface Terms {
  /** Stems in order, fillers included. */
  readonly words: readonly string[]
  /** Stems that carry meaning. */
  readonly content: ReadonlySet<string>
  /** How a content word was written, by its stem. */
  readonly written: ReadonlyMap<string, string>
}

// Words that ask, point or are polite. What is absent matters: negations, other people, times and conditions are
// content, so that a question with one of them is only answered by a tool that knows the word.
const fillers = new Set(
  `a an the this that these those there here it its i me my mine we us our you your
  am is are was were be been being do does did can could would will shall should may might have has had got
  of for in on at to from with by about and or so then as into
  what which when where how much many any some all
  please thanks thank hi hello hey kindly
  show list get give tell see view display find check look up let know want need like say read print fetch
  now current currently right just again last latest recent recently newest most yet already still lately`
    .split(/\s+/)
    .map(stem),
)

/** Contractions of "is" and "has"; after anything else, 's says whose. */
const contracted = new Set(['what', 'where', 'when', 'how', 'it', 'that', 'there', 'here', 'let'])

/** The words of a text from which values were taken out already. */
export function readTerms(text: string): Terms {
  const words: string[] = []
  const written = new Map<string, string>()
  for (const [match] of text.normalize('NFKC').matchAll(/[\p{L}\p{M}\p{N}]+(?:['’]\p{L}+)?/gu)) {
    for (const word of expand(match)) {
      const term = stem(word)
      words.push(term)
      if (!fillers.has(term) && !written.has(term)) written.set(term, word)
    }
  }
  return { words, content: new Set(written.keys()), written }
}

/** Terms of a name such as `get_order_status` or `placedAt`. */
export function nameTerms(name: string): string[] {
  return spaced(name).split(' ').map(stem)
}

/** `placedAt` and `get_order_status` as words: `placed at`, `get order status`. */
export function spaced(name: string): string {
  return name
    .replaceAll(/([\p{Ll}\d])(\p{Lu})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part !== '')
    .join(' ')
    .toLowerCase()
}

export function isFiller(term: string): boolean {
  return fillers.has(term)
}

function expand(word: string): string[] {
  const [base = '', suffix] = word.split(/['’]/)
  if (suffix === undefined) return [base]
  if (suffix.toLowerCase() === 't') return [base.replace(/n$/i, ''), 'not']
  return suffix.toLowerCase() === 's' && contracted.has(base.toLowerCase()) ? [base, 'is'] : [base]
}

/** Enough of English to take plural, past and "-ing" for the same word. */
function stem(word: string): string {
  const lower = word.toLowerCase()
  if (lower.length <= 3) return lower
  const singular = lower.replace(/ies$/, 'y').replace(/(?<![su i])s$/, '')
  const bare = singular.length > 5 ? singular.replace(/(?:ed|ing)$/, '').replace(/([bdfgmnprt])\1$/, '$1') : singular
  return bare.length > 3 ? bare.replace(/e$/, '') : bare
}
