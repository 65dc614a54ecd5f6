import type { JsonSchema } from '@behalf/identity'

/** How two JSON Schemas of the same value differ. */
export interface SchemaChanges {
  /** What no longer fits, each with the path to it. */
  readonly breaking: readonly string[]
  /** Descriptions, titles, examples: what a model reads. */
  readonly words: readonly string[]
  /** What is new and takes nothing away. */
  readonly additions: readonly string[]
}

const words: ReadonlySet<string> = new Set(['description', 'title', 'examples'])

/**
 * Compares schemas as composition writes them: inlined, closed objects. Whatever differs in another way than is known
 * to be harmless counts as breaking.
 *
 * @param direction `input`: values that were sent before have to be accepted; `output`: values that come now have to be
 * such as were announced
 */
export function compareJsonSchemas(
  before: JsonSchema,
  after: JsonSchema,
  direction: 'input' | 'output',
): SchemaChanges {
  const found = { breaking: [] as string[], words: [] as string[], additions: [] as string[] }
  compareAt('', before, after, direction, found)
  return found
}

function compareAt(
  path: string,
  before: unknown,
  after: unknown,
  direction: 'input' | 'output',
  found: { breaking: string[]; words: string[]; additions: string[] },
): void {
  const where = path === '' ? 'it' : `"${path}"`
  if (!isObject(before) || !isObject(after)) {
    if (JSON.stringify(before) !== JSON.stringify(after)) found.breaking.push(`${where} changed`)
    return
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, current] = [before[key], after[key]]
    if (JSON.stringify(old) === JSON.stringify(current)) continue
    if (words.has(key)) found.words.push(`the ${key} of ${where}`)
    else if (key === 'properties' && isObject(old) && isObject(current)) {
      for (const name of new Set([...Object.keys(old), ...Object.keys(current)])) {
        const inner = path === '' ? name : `${path}.${name}`
        if (!(name in current)) found.breaking.push(`"${inner}" was removed`)
        else if (!(name in old)) found.additions.push(`"${inner}" is new`)
        else compareAt(inner, old[name], current[name], direction, found)
      }
    } else if (key === 'anyOf' && Array.isArray(old) && Array.isArray(current) && old.length === current.length) {
      for (const [index, each] of old.entries()) compareAt(path, each, current[index], direction, found)
    } else if (key === 'items') compareAt(`${path}[]`, old, current, direction, found)
    else if (key === 'required') {
      // What is gone altogether is told once.
      const there = isObject(after['properties']) ? after['properties'] : {}
      const kept = textsOf(old).filter((name) => name in there)
      compareLists(key, where, kept, textsOf(current), direction, found)
    } else if (key === 'enum') compareLists(key, where, textsOf(old), textsOf(current), direction, found)
    else if (key === 'default' && current !== undefined)
      found.additions.push(`the default of ${where} is ${JSON.stringify(current)}`)
    else found.breaking.push(`${where} has another ${key}`)
  }
}

/** More than before is a burden for who sends (`required`) or for who receives (`enum`); less, for the other. */
function compareLists(
  key: 'required' | 'enum',
  where: string,
  old: readonly string[],
  current: readonly string[],
  direction: 'input' | 'output',
  found: { breaking: string[]; additions: string[] },
): void {
  const added = current.filter((item) => !old.includes(item))
  const removed = old.filter((item) => !current.includes(item))
  const what = (items: readonly string[], verb: string) =>
    key === 'required'
      ? `${items.join(', ')} of ${where} ${verb === 'new' ? 'is required' : 'is no longer certain'}`
      : `${items.join(', ')} of ${where} ${verb === 'new' ? 'is new' : 'was removed'}`
  const addedBreaks = key === 'required' && direction === 'input'
  const removedBreaks = (key === 'required') === (direction === 'output')
  if (added.length > 0) (addedBreaks ? found.breaking : found.additions).push(what(added, 'new'))
  if (removed.length > 0) (removedBreaks ? found.breaking : found.additions).push(what(removed, 'gone'))
}

const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
