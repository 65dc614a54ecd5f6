import { type JsonSchema, subjectNames } from '@behalf/identity'

/** Why an input is taken although its name says that it names a principal, by its path, such as `filter.owner`. */
export type NotSubject = Readonly<Record<string, string>>

const namesSubject = subjectNames()
/** Schemas of the same value, and of its items. */
const inPlace = ['anyOf', 'oneOf', 'allOf', 'not', 'if', 'then', 'else'] as const
const parts = ['prefixItems', 'items', 'contains'] as const
/** Inputs with names that nobody has read, or schemas that are somewhere else. */
const open = [
  'patternProperties',
  'propertyNames',
  'unevaluatedProperties',
  'unevaluatedItems',
  'dependentSchemas',
  '$dynamicRef',
]

/**
 * What of a tool's arguments could choose whose rows or whose authority is used: where each is, and why. There are only
 * names to go by here, and no types; so every name has to be there to be read. Empty for one that cannot.
 */
export function problemsOfInput(schema: JsonSchema, notSubject: NotSubject = {}): string[] {
  const problems: string[] = []
  const definitions = new Set<unknown>()

  /** @param isClosed - whether what is around it takes no other inputs than it names itself */
  function visit(given: unknown, path: string, isClosed = false): void {
    const at = path === '' ? 'the arguments' : `"${path}"`
    if (given === true || (isObject(given) && !says(given))) {
      problems.push(`${at} may be anything: say what it is`)
      return
    }
    if (!isObject(given)) return
    for (const keyword of open)
      if (keyword in given) problems.push(`${at} uses "${keyword}", under which inputs have no names that can be read`)
    const reference = given['$ref']
    if (reference !== undefined) {
      const target = resolve(schema, reference)
      if (target === undefined)
        problems.push(`${at} refers to ${JSON.stringify(reference)}, which is not in "$defs" here`)
      else if (!definitions.has(target)) {
        definitions.add(target)
        visit(target, path, isClosed)
        definitions.delete(target)
      } else problems.push(`${at} contains itself`)
    }
    const properties = given['properties']
    if (isObject(properties)) {
      for (const [name, inner] of Object.entries(properties)) {
        const inside = path === '' ? name : `${path}.${name}`
        if (namesSubject(name) && !notSubject[inside]?.trim())
          problems.push(
            `"${inside}" says that it names somebody: take who it is from the identity, or say under notSubject why it does not`,
          )
        visit(inner, inside)
      }
    }
    const closes = isClosed || given['additionalProperties'] === false
    if (mayBeObject(given) && !closes)
      problems.push(`${at} takes inputs that it does not name: add "additionalProperties": false`)
    for (const keyword of inPlace) for (const inner of asList(given[keyword])) visit(inner, path, closes)
    for (const keyword of parts) for (const inner of asList(given[keyword])) visit(inner, path)
  }

  visit(schema, '')
  if (schema['type'] !== 'object') problems.push('the arguments are no "object"')
  const unused = Object.keys(notSubject).filter((path) => !hasPath(schema, path))
  return [...problems, ...unused.map((path) => `notSubject names "${path}", which is no input`)]
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const asList = (value: unknown): readonly unknown[] => (value === undefined ? [] : [value].flat())
const says = (schema: Readonly<Record<string, unknown>>) =>
  ['type', 'enum', 'const', '$ref', 'anyOf', 'oneOf', 'allOf', 'not', 'properties', 'required', 'items'].some(
    (keyword) => keyword in schema,
  )
const mayBeObject = ({ type, properties }: Readonly<Record<string, unknown>>) =>
  [type].flat().includes('object') || properties !== undefined

function resolve({ $defs }: JsonSchema, reference: unknown): unknown {
  const name = /^#\/\$defs\/([\w-]+)$/.exec(String(reference))?.[1]
  return name !== undefined && isObject($defs) && Object.hasOwn($defs, name) ? $defs[name] : undefined
}

/** Whether there is such an input; of references and alternatives it is only believed. */
function hasPath(schema: unknown, path: string): boolean {
  const [first = '', ...rest] = path.split('.')
  if (!isObject(schema)) return false
  if (!isObject(schema['properties']))
    return '$ref' in schema || inPlace.some((keyword) => keyword in schema) || hasItems(schema, path)
  const inner = schema['properties'][first]
  return inner !== undefined && (rest.length === 0 || hasPath(inner, rest.join('.')))
}
const hasItems = (schema: Readonly<Record<string, unknown>>, path: string) =>
  'items' in schema && hasPath(schema['items'], path)
