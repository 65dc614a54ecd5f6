const longestValue = 200

/**
 * What a user is asked: the tool's template with the arguments in it. Texts come from a model: each is quoted, and what
 * would hide or reorder its surroundings is written as an escape.
 */
export function fillSummary(template: string, values: Readonly<Record<string, unknown>>): string {
  return template.replaceAll(/\{([A-Za-z_]\w*)\}/g, (_placeholder, name: string) =>
    Object.hasOwn(values, name) ? describe(values[name]) : '(none)',
  )
}

function describe(value: unknown): string {
  const text = JSON.stringify(value)
  // By code points, so that no half of one is left.
  const points = Array.from(escaped(text))
  if (points.length <= longestValue) return points.join('')
  return `${points.slice(0, longestValue).join('')}... (${points.length - longestValue} characters more)`
}

/** Controls, format characters (bidirectional ones among them), separators of lines, private and unassigned ones. */
const invisible = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu
const escaped = (text: string) =>
  text.replaceAll(invisible, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
