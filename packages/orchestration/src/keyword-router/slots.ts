import type { OfferedTool } from '@behalf/identity'
import { idPrefix, readEvidence, type Evidence } from './evidence.ts'
import { nameTerms, spaced } from './terms.ts'

/** An argument that takes one value, maybe inside an input object. */
export interface Slot {
  readonly path: readonly string[]
  readonly schema: Json
  readonly required: boolean
}

/** Arguments as far as the question gives them. */
export interface Filled {
  readonly arguments: Readonly<Record<string, unknown>>
  /** Values that no slot takes. */
  readonly unused: readonly Evidence[]
  /** Stems that chose an enum value. */
  readonly usedWords: ReadonlySet<string>
  /** Required slots that are empty. */
  readonly missing: readonly Slot[]
}

type Json = Readonly<Record<string, unknown>>

export function slotsOf(schema: Json, required = true, path: readonly string[] = []): Slot[] {
  const properties = isJson(schema['properties']) ? schema['properties'] : null
  if (!properties) return path.length === 0 ? [] : [{ path, schema, required }]
  const needed = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  return Object.entries(properties).flatMap(([name, inner]) =>
    isJson(inner) ? slotsOf(inner, required && needed.has(name), [...path, name]) : [],
  )
}

/** Fills slots from values of the right type, and from nothing else. */
export function fillSlots(tool: OfferedTool, values: readonly Evidence[], words: ReadonlySet<string>): Filled {
  const slots = slotsOf(tool.inputSchema)
  const learned = tool.examples.flatMap((example) => readEvidence(example).values)
  const given = new Map<Slot, unknown>()
  const unused: Evidence[] = []
  const usedWords = new Set<string>()

  for (const value of values) {
    const fitting = slots.filter((slot) => !given.has(slot) && fits(slot, value, slots, learned))
    const slot = choose(fitting, value)
    if (slot) given.set(slot, valueFor(slot, value))
    else unused.push(value)
  }
  for (const slot of slots) {
    const options = Array.isArray(slot.schema['enum'])
      ? slot.schema['enum'].filter((option) => typeof option === 'string')
      : []
    const said = options.filter((option) => nameTerms(option).every((term) => words.has(term)))
    const [only] = said
    if (given.has(slot) || only === undefined || said.length > 1) continue
    given.set(slot, only)
    nameTerms(only).forEach((term) => usedWords.add(term))
  }
  return {
    arguments: nest(given),
    unused,
    usedWords,
    missing: slots.filter((slot) => slot.required && !given.has(slot) && !('default' in slot.schema)),
  }
}

/** What to ask for: `order id (such as ord_7Kx2)`. */
export function describeSlot(slot: Slot, tool: OfferedTool): string {
  const name = spaced(slot.path.at(-1) ?? '')
  const slots = slotsOf(tool.inputSchema)
  const learned = tool.examples.flatMap((example) => readEvidence(example).values)
  const example = learned.find((value) => fits(slot, value, slots, learned))
  const options = Array.isArray(slot.schema['enum']) ? slot.schema['enum'].join(', ') : null
  if (options !== null) return `${name} (one of ${options})`
  return example ? `${name} (such as ${example.text})` : name
}

function choose(fitting: readonly Slot[], value: Evidence): Slot | null {
  const [first] = fitting
  if (fitting.length <= 1) return first ?? null
  const named = fitting.filter((slot) => nameTerms(slot.path.at(-1) ?? '').includes(value.before))
  if (named.length === 1) return named[0] ?? null
  const required = fitting.filter((slot) => slot.required)
  // Two places for one value: asking is better than guessing.
  return required.length === 1 ? (required[0] ?? null) : null
}

function fits(slot: Slot, value: Evidence, slots: readonly Slot[], learned: readonly Evidence[]): boolean {
  const { type, pattern, format, enum: options } = slot.schema
  const types = Array.isArray(type) ? type : [type]
  if (Array.isArray(options)) return options.includes(value.text)
  if (types.includes('integer') || types.includes('number'))
    return value.kind === 'number' && numberFits(value.text, slot.schema)
  if (!types.includes('string')) return false
  if (format === 'date') return value.kind === 'date' && value.text.length === 10
  if (format === 'date-time') return value.kind === 'date' && value.text.length > 10
  if (format === 'email' || format === 'uri') return value.kind === 'address'
  if (typeof pattern === 'string' && (value.kind === 'id' || value.kind === 'number'))
    return new RegExp(pattern, 'u').test(value.text)
  if (value.kind === 'quoted') return !isIdSlot(slot)
  return (value.kind === 'id' || value.kind === 'number') && isIdSlot(slot) && idFits(slot, value, slots, learned)
}

/** By the ids of the examples; without any, by the argument's name: `ord_` begins `orderId`. */
function idFits(slot: Slot, value: Evidence, slots: readonly Slot[], learned: readonly Evidence[]): boolean {
  const prefix = idPrefix(value.text)
  const named = prefix !== null && (slot.path.at(-1) ?? '').toLowerCase().startsWith(prefix)
  const ids = learned.filter(({ kind }) => kind === 'id')
  if (ids.length === 0) return named || (prefix === null && value.kind === 'number')
  const known = ids.some((example) => idPrefix(example.text) === prefix)
  return known && (named || slots.filter(isIdSlot).length === 1)
}

function isIdSlot({ path, schema }: Slot): boolean {
  return schema['format'] === 'uuid' || /(?:^id|_id|I[dD])$/.test(path.at(-1) ?? '')
}

function numberFits(text: string, { type, minimum, maximum }: Json): boolean {
  const number = Number(text)
  if (!Number.isFinite(number) || (type === 'integer' && !Number.isSafeInteger(number))) return false
  return (typeof minimum !== 'number' || number >= minimum) && (typeof maximum !== 'number' || number <= maximum)
}

function valueFor(slot: Slot, value: Evidence): unknown {
  const { type } = slot.schema
  const numeric = type === 'integer' || type === 'number' || (Array.isArray(type) && !type.includes('string'))
  return numeric ? Number(value.text) : value.text
}

function nest(given: ReadonlyMap<Slot, unknown>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [{ path }, value] of given) {
    let place = root
    for (const part of path.slice(0, -1)) place = (place[part] ??= {}) as Record<string, unknown>
    place[path.at(-1) as string] = value
  }
  return root
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
