import { spaced } from './terms.ts'

const maxItems = 20
const maxText = 200

/** A tool's result in words, from the returned fields and nothing else. */
export function describeResult(result: unknown, truncated: boolean): string {
  const { label, value, more } = unwrap(result, '')
  const rest = more || truncated ? '\nThere is more than is shown here.' : ''
  if (value === null || value === undefined) return 'Nothing was found.'
  if (Array.isArray(value)) {
    if (value.length === 0) return `${capital(label || 'results')}: none.`
    const lines = value.slice(0, maxItems).map((item) => `- ${inline(item)}`)
    const hidden = value.length > maxItems ? `\nThere is more than is shown here.` : rest
    return `${capital(label || 'results')} (${lines.length}):\n${lines.join('\n')}${hidden}`
  }
  if (!isJson(value)) return `${capital(label || 'result')}: ${scalar(value)}.${rest}`
  const fields = fieldsOf(value)
  const short = fields.length <= 3 && fields.every(([, field]) => typeof field !== 'object' || field === null)
  if (short) return `${capital(label || 'result')}: ${inline(value)}.${rest}`
  const lines = fields.map(
    ([name, field]) => `- ${spaced(name)}: ${isJson(field) || Array.isArray(field) ? inline(field) : scalar(field)}`,
  )
  return `${capital(label || 'result')}:\n${lines.join('\n')}${rest}`
}

interface Unwrapped {
  readonly label: string
  readonly value: unknown
  readonly more: boolean
}

/** Goes through objects with a single field, and through connections, to what was asked for. */
function unwrap(value: unknown, label: string): Unwrapped {
  if (!isJson(value)) return { label, value, more: false }
  const list = connectionItems(value)
  if (list) return { label, value: list, more: isJson(value['pageInfo']) && value['pageInfo']['hasNextPage'] === true }
  const [only, ...others] = fieldsOf(value)
  if (only && others.length === 0 && (isJson(only[1]) || Array.isArray(only[1]) || only[1] === null || label === '')) {
    return unwrap(only[1], spaced(only[0]))
  }
  return { label, value, more: false }
}

function connectionItems(value: Json): unknown[] | null {
  const { edges, nodes } = value
  if (Array.isArray(edges))
    return edges.map((edge: unknown) => (isJson(edge) ? (edge['node'] ?? null) : null)).filter((node) => node !== null)
  return Array.isArray(nodes) ? nodes : null
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.slice(0, maxItems).map(inline).join('; ')
  if (!isJson(value)) return scalar(value)
  const items = connectionItems(value)
  if (items) return inline(items)
  const parts = fieldsOf(value).flatMap(([name, field]) => {
    if (field === null) return []
    return [
      isJson(field) || Array.isArray(field) ? `${spaced(name)} (${inline(field)})` : `${spaced(name)} ${scalar(field)}`,
    ]
  })
  return parts.length === 0 ? 'none' : parts.join(', ')
}

function scalar(value: unknown): string {
  if (value === null || value === undefined) return 'none'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  const text = String(value)
    .replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
  const moment = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?Z$/.exec(text)
  if (moment) return `${moment[1]} ${moment[2]} UTC`
  return text.length > maxText ? `${text.slice(0, maxText - 1).toWellFormed()}…` : text
}

type Json = Readonly<Record<string, unknown>>

function fieldsOf(value: Json): [string, unknown][] {
  return Object.entries(value).filter(([name]) => name !== '__typename')
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
