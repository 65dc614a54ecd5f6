import { type GraphQLObjectType, type GraphQLSchema, isObjectType } from 'graphql'

/** An object of an answer, `__typename` included where it was asked for. */
export type AnswerObject = Readonly<Record<string, unknown>>

/** All objects in an answer, each before those within it. */
export function objectsIn(value: unknown): AnswerObject[] {
  if (Array.isArray(value)) return value.flatMap(objectsIn)
  if (!isObject(value)) return []
  return [value, ...Object.values(value).flatMap(objectsIn)]
}

/** All texts in an answer, but for the names of types. */
export function textsIn(value: unknown): Set<string> {
  if (typeof value === 'string') return new Set([value])
  if (Array.isArray(value)) return union(value.map(textsIn))
  if (!isObject(value)) return new Set()
  return union(
    Object.entries(value).map(([name, inner]) => (name === '__typename' ? new Set<string>() : textsIn(inner))),
  )
}

const union = (sets: readonly Set<string>[]) => new Set(sets.flatMap((set) => [...set]))

export const isObject = (value: unknown): value is AnswerObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The type that an object of an answer says it is of. */
export function typeOf(schema: GraphQLSchema, object: AnswerObject): GraphQLObjectType | null {
  const type = schema.getType(String(object['__typename']))
  return isObjectType(type) ? type : null
}
