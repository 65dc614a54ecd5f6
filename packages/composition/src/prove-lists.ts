import { Kind, getNamedType, isCompositeType, isListType, isNonNullType, valueFromASTUntyped } from 'graphql'
import type { FieldNode, GraphQLOutputType, OperationDefinitionNode } from 'graphql'
import type { Declarations } from './declarations.ts'
import type { FieldUse } from './field-uses.ts'
import type { Place, Problems } from './problem.ts'

/** Most items of a list that a tool may ask for. */
export const maxListSize = 100
/** Arguments that bound a list where `@listSize(slicingArguments:)` does not say. */
const conventionalArguments = ['first', 'last', 'limit']

interface ListSize {
  readonly assumedSize: number | null
  readonly slicingArguments: readonly string[] | null
  readonly sizedFields: readonly string[] | null
}

/**
 * Proves that every list of objects in a tool is bounded: by an argument of its field, or of the field around it
 * (a connection's `edges`), that is fixed, has a default or must be given; or by `@listSize(assumedSize:)`
 * (Federation 2.9). Lists of scalars are part of their object.
 *
 * @returns variables that bound lists; their values are at most {@link maxListSize}
 */
export function proveLists(
  declarations: Declarations,
  uses: readonly FieldUse[],
  operation: OperationDefinitionNode,
  place: Place,
  problems: Problems,
): Set<string> {
  const bounding = new Set<string>()
  for (const use of uses) {
    if (!isListOfObjects(use.field.type)) continue
    const own = listSize(declarations, use.coordinate)
    const around = use.enclosing && listSize(declarations, use.enclosing.coordinate)
    const sizes = !around?.sizedFields || around.sizedFields.includes(use.field.name)
    const bounded =
      isBounded(use, own, operation, bounding) ||
      (use.enclosing !== null &&
        !isListOfObjects(use.enclosing.field.type) &&
        sizes &&
        isBounded(use.enclosing, around, operation, bounding)) ||
      (own?.assumedSize ?? Infinity) <= maxListSize
    if (!bounded) {
      problems.add(
        'LIST_UNBOUNDED',
        use.node.loc ? use.node : place,
        `${use.coordinate} is a list without a bound of at most ${maxListSize}.`,
      )
    }
  }
  return bounding
}

function isBounded(
  use: FieldUse,
  size: ListSize | null,
  operation: OperationDefinitionNode,
  bounding: Set<string>,
): boolean {
  const slicing = size?.slicingArguments ?? conventionalArguments
  return use.field.args.some((argument) => {
    if (!slicing.includes(argument.name)) return false
    const value = givenValue(use.node, argument.name)
    if (value?.kind !== Kind.VARIABLE) {
      return isBound(value ? valueFromASTUntyped(value) : argument.defaultValue)
    }
    const name = value.name.value
    const definition = operation.variableDefinitions?.find(({ variable }) => variable.name.value === name)
    const mustBeGiven = definition?.type.kind === Kind.NON_NULL_TYPE
    const otherwise = definition?.defaultValue ? valueFromASTUntyped(definition.defaultValue) : argument.defaultValue
    if (!isBound(otherwise) && !(mustBeGiven && !definition?.defaultValue)) return false
    bounding.add(name)
    return true
  })
}

function givenValue(node: FieldNode, name: string) {
  return node.arguments?.find((argument) => argument.name.value === name)?.value
}

function isBound(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= maxListSize
}

export function isListOfObjects(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type) && isCompositeType(getNamedType(type))
}

function listSize(declarations: Declarations, coordinate: string): ListSize | null {
  const sizes = (declarations.fields.get(coordinate) ?? []).flatMap(({ node }) =>
    (node.directives ?? []).filter(({ name }) => /(^|__)listSize$/.test(name.value)),
  )
  const [directive] = sizes
  if (!directive) return null
  const given = Object.fromEntries(
    (directive.arguments ?? []).map((argument) => [argument.name.value, valueFromASTUntyped(argument.value)]),
  )
  const names = (value: unknown) => (Array.isArray(value) ? value.map(String) : null)
  return {
    assumedSize: typeof given['assumedSize'] === 'number' ? given['assumedSize'] : null,
    slicingArguments: names(given['slicingArguments']),
    sizedFields: names(given['sizedFields']),
  }
}
