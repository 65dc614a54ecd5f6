import { type GraphQLCompositeType, type GraphQLOutputType, isLeafType, isListType, isNonNullType } from 'graphql'
import { completeLeaf } from './complete-leaf.ts'
import { type Complete, misfit } from './completion.ts'

/**
 * Completes whatever subgraphs had for a field, undefined included (GraphQL 6.4.3).
 *
 * The result is `undefined` where null is not allowed: the parent is null, then (6.4.4).
 *
 * @param completeObject - for the objects in it, if there are any.
 */
export function completeValue(
  type: GraphQLOutputType,
  completeObject: (type: GraphQLCompositeType) => Complete,
): Complete {
  if (!isNonNullType(type)) {
    const complete = completeSome(type, completeObject)
    return (value, at) => (value === null || value === undefined ? null : complete(value, at))
  }
  const complete = completeSome(type.ofType, completeObject)
  return (value, at) => {
    if (value === null || value === undefined) misfit(at)
    else return complete(value, at) ?? undefined
    return undefined
  }
}

/** Completes a value that is not null, to null if there is nothing to be had of it. */
function completeSome(type: GraphQLOutputType, completeObject: (type: GraphQLCompositeType) => Complete): Complete {
  if (isNonNullType(type)) return completeSome(type.ofType, completeObject)
  if (isListType(type)) return completeList(completeValue(type.ofType, completeObject))
  return isLeafType(type) ? completeLeaf(type) : completeObject(type)
}

function completeList(completeItem: Complete): Complete {
  return (value, at) => {
    if (!Array.isArray(value)) return misfit(at)
    const items: readonly unknown[] = value
    const completed: unknown[] = []
    const depth = at.depth++
    for (let index = 0; index < items.length; index++) {
      at.path[depth] = index
      const item = completeItem(items[index], at)
      if (item === undefined) {
        at.depth = depth
        return null
      }
      completed.push(item)
    }
    at.depth = depth
    return completed
  }
}
