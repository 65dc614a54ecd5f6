import type { ToolDefinition } from '@behalf/identity'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

/** Arguments as they are executed, or why they cannot be, in words by which a model can mend its call. */
export type ValidatedArguments =
  | { readonly valid: true; readonly values: Readonly<Record<string, unknown>> }
  | { readonly valid: false; readonly reason: string }

const maxReasons = 5
const maxDepth = 32

type Described = Pick<ToolDefinition, 'name' | 'inputSchema'>

/** A validator of the arguments of these tools. @throws {TypeError} that names the tool whose schema cannot be used. */
export function createArgumentValidator(
  tools: readonly Described[],
): (tool: Described, given: unknown) => ValidatedArguments {
  const ajv = new Ajv2020({ strict: true, allErrors: true, verbose: true, ownProperties: true })
  formats.default(ajv)
  // Of JSON Schema 2020-12 (core, 8.2.2), and unknown to ajv's strict mode: it names a place.
  ajv.addKeyword('$anchor')
  const validators = new Map(tools.map((tool) => [tool.name, compile(ajv, tool)]))

  return (tool, given) => {
    if (!isRecord(given)) return { valid: false, reason: 'the arguments must be one JSON object' }
    if (!isShallow(given)) return { valid: false, reason: 'the arguments are nested too deeply' }
    const unsafe = findUnsafeNumber(given)
    if (unsafe !== null) return { valid: false, reason: `${unsafe} is not a number that can be kept exactly` }
    const values = withoutNulls(given) as Record<string, unknown>
    const validate = validators.get(tool.name)
    if (!validate) throw new TypeError(`The schema of "${tool.name}" was not compiled.`)
    if (validate(values)) return { valid: true, values }
    const reasons = [...new Set((validate.errors ?? []).map(describe))]
    return { valid: false, reason: reasons.slice(0, maxReasons).join('; ') }
  }
}

function compile(ajv: Ajv2020, { name, inputSchema }: Described): ValidateFunction {
  try {
    return ajv.compile(inputSchema)
  } catch (cause) {
    throw new TypeError(`The schema of the arguments of the tool "${name}" cannot be used.`, { cause })
  }
}

function describe({ instancePath, keyword, message, params, parentSchema }: ErrorObject): string {
  const name = instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~') || 'the call'
  const inner = (property: unknown) => short(name === 'the call' ? String(property) : `${name}.${String(property)}`)
  if (keyword === 'required') return `"${inner(params['missingProperty'])}" is missing`
  if (keyword === 'additionalProperties') {
    const properties: unknown = parentSchema?.['properties']
    const known = isRecord(properties) ? Object.keys(properties).join(', ') : ''
    return `there is no argument "${inner(params['additionalProperty'])}" (there is: ${known || 'none'})`
  }
  if (keyword === 'enum') return `"${short(name)}" must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`
  return `"${short(name)}" ${message ?? 'does not fit'}`
}

/** Names come from the model: they are repeated to it, but not at any length. */
function short(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}...` : name
}

/** No schema is this deep, and what walks through the arguments later does so by recursion. */
const isShallow = (value: unknown, depth = 0): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (depth < maxDepth && Object.values(value).every((item) => isShallow(item, depth + 1)))

/** RFC 8785 maps integers beyond 2^53 to the text of others: an approval of one would be that of another. */
function findUnsafeNumber(value: unknown): number | null {
  if (typeof value === 'number')
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? null : value
  if (typeof value !== 'object' || value === null) return null
  for (const item of Object.values(value)) {
    const unsafe = findUnsafeNumber(item)
    if (unsafe !== null) return unsafe
  }
  return null
}

/** Models write null for what they leave out; in a tool's schema null is nowhere a value. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => (item === null ? [] : [[key, withoutNulls(item)]])),
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
