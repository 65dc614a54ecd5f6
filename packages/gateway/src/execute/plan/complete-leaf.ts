import { type GraphQLLeafType, isEnumType, isSpecifiedScalarType } from 'graphql'
import { type Complete, type Completion, misfit } from './completion.ts'

/** Completes values of a scalar or enum as graphql-js does (GraphQL 3.5, 3.9); a custom scalar's are taken as they are. */
export function completeLeaf(type: GraphQLLeafType): Complete {
  if (isEnumType(type)) {
    const names = new Set<unknown>(type.getValues().map(({ name }) => name))
    return (value, at) => (names.has(value) ? value : misfit(at))
  }
  if (!isSpecifiedScalarType(type)) return (value) => value

  function coerce(value: unknown, at: Completion): unknown {
    try {
      return type.serialize(value)
    } catch {
      return misfit(at)
    }
  }
  // First, what needs no coercion.
  switch (type.name) {
    case 'String':
    case 'ID':
      return (value, at) => (typeof value === 'string' ? value : coerce(value, at))
    case 'Boolean':
      return (value, at) => (typeof value === 'boolean' ? value : coerce(value, at))
    default:
      return coerce
  }
}
