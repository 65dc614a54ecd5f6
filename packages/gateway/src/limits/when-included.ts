import { type DirectiveNode, Kind, type SelectionNode } from 'graphql'
import { type Amount, type RequestValues, valueOf } from './amount.ts'

/**
 * An amount of a selection, which is nothing where `@skip` or `@include` takes the selection out.
 *
 * @param uses - told of each variable that decides.
 */
export function whenIncluded(
  { directives = [] }: SelectionNode,
  amount: Amount,
  uses: (variable: string) => void,
): Amount {
  if (directives.length === 0 || amount === 0) return amount
  const conditions = directives.flatMap((directive) => conditionOf(directive, uses))
  if (conditions.includes(false)) return 0
  const open = conditions.filter((condition) => typeof condition === 'function')
  if (open.length === 0) return amount
  return (request) => (open.every((isMet) => isMet(request)) ? valueOf(amount, request) : 0)
}

function conditionOf(
  { name: { value: directive }, arguments: [argument] = [] }: DirectiveNode,
  uses: (variable: string) => void,
): (boolean | ((request: RequestValues) => boolean))[] {
  if (argument === undefined || (directive !== 'skip' && directive !== 'include')) return []
  const wanted = directive === 'include'
  const { value } = argument
  if (value.kind === Kind.BOOLEAN) return [value.value === wanted]
  if (value.kind !== Kind.VARIABLE) return []
  uses(value.name.value)
  // Without a value, which a Boolean! cannot be, nothing is executed at all.
  return [({ variables }) => variables[value.name.value] !== !wanted]
}
