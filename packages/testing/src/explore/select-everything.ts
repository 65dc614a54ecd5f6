import {
  getNamedType,
  type GraphQLNamedType,
  type GraphQLSchema,
  isAbstractType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from 'graphql'
import type { Field } from './declared-rules.ts'
import { fillArguments, type Values } from './fill-arguments.ts'

/**
 * Everything that can be selected of a type without asking for one of its objects a second time on the way, with
 * `__typename` everywhere: `{ __typename id orders { ... } }`; nothing for a type without fields.
 */
export function selectEverything(
  schema: GraphQLSchema,
  type: GraphQLNamedType,
  values: Values,
  within: readonly GraphQLNamedType[] = [],
): string {
  if (isLeafType(type)) return ''
  const inside = [...within, type]
  if (isAbstractType(type)) {
    const fragments = schema.getPossibleTypes(type).flatMap((possible) => {
      if (within.includes(possible)) return []
      // Under names of their own: fields of several types may differ in what they answer.
      const fields = selections(possible, (name) => `${possible.name}__${name}: `)
      return `... on ${possible.name} { __typename ${fields} }`
    })
    return ` { __typename ${fragments.join(' ')} }`
  }
  return ` { __typename ${selections(type)} }`

  function selections(of: GraphQLNamedType, alias: (name: string) => string = () => ''): string {
    if (!isObjectType(of)) return ''
    return Object.values(of.getFields())
      .filter((field) => isSelectable(field, [...inside, of]))
      .map((field) => {
        const inner = selectEverything(schema, getNamedType(field.type), values, [...inside, of])
        return alias(field.name) + field.name + fillArguments(field, values) + inner
      })
      .join(' ')
  }
}

/** An argument that has to be made up would most likely find nothing. */
function isSelectable(field: Field, within: readonly GraphQLNamedType[]): boolean {
  return !within.includes(getNamedType(field.type)) && !field.args.some(isRequiredArgument)
}

/** The property of an object that was selected as above. */
export const selected = (object: Readonly<Record<string, unknown>>, name: string): unknown =>
  object[name] ?? object[`${String(object['__typename'])}__${name}`]
