import { type FieldNode, type GraphQLArgument, type GraphQLField, Kind, type ValueNode } from 'graphql'
import type { Amount } from './amount.ts'

/** Of a list of which nothing says how long it is. */
export const assumedSize = 10

/** Arguments that say how many items are asked for. */
const sizeArguments: ReadonlySet<string> = new Set(['first', 'last', 'limit'])
const maxSize = 2 ** 31

/**
 * How many items a field is asked for: the largest of its arguments `first`, `last` and `limit`, at least 1.
 * Null if it has none of them.
 *
 * @param uses - told of each variable that decides.
 */
export function listSizeOf(
  { args }: GraphQLField<unknown, unknown>,
  { arguments: given = [] }: FieldNode,
  uses: (variable: string) => void,
): Amount | null {
  const sizes = args
    .filter(({ name }) => sizeArguments.has(name))
    .map((argument) => sizeOf(argument, given.find(({ name }) => name.value === argument.name)?.value, uses))
  const [size, ...others] = sizes
  if (size === undefined) return null
  if (others.length === 0) return orAssumed(size)
  return orAssumed((request) => {
    const known = sizes
      .map((each) => (typeof each === 'function' ? each(request) : each))
      .filter((each) => each !== null)
    return known.length > 0 ? Math.max(...known) : null
  })
}

type Size = number | null | ((request: { readonly variables: Readonly<Record<string, unknown>> }) => number | null)

function sizeOf(
  { defaultValue }: GraphQLArgument,
  given: ValueNode | undefined,
  uses: (variable: string) => void,
): Size {
  if (given === undefined) return readSize(defaultValue)
  if (given.kind === Kind.VARIABLE) {
    const name = given.name.value
    uses(name)
    return ({ variables }) => readSize(Object.hasOwn(variables, name) ? variables[name] : defaultValue)
  }
  return 'value' in given ? readSize(given.value) : null
}

/** Numbers and, as scalars of a schema's own may have them, numbers as text. */
function readSize(value: unknown): number | null {
  if (typeof value === 'string' ? value.trim() === '' : typeof value !== 'number' && typeof value !== 'bigint')
    return null
  const size = Number(value)
  return Number.isNaN(size) ? null : Math.min(Math.max(Math.ceil(size), 1), maxSize)
}

const orAssumed = (size: Size): Amount =>
  typeof size === 'function' ? (request) => size(request) ?? assumedSize : (size ?? assumedSize)
