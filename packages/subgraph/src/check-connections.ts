import {
  getNamedType,
  getNullableType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLResolveInfo,
  isListType,
  isObjectType,
} from 'graphql'
import { beyondPage } from './connection.ts'
import type { RequestContext } from './request-context.ts'
import { isAbsent, isIterable, isPromise, settle } from './settle.ts'

/** What a check answers in place of an object that is not to be shown. */
export const withheld = Symbol('withheld')

/** Answers an object or {@link withheld}; either may be promised. */
export type Check = (value: unknown, context: RequestContext<unknown>, info: GraphQLResolveInfo) => unknown

/**
 * Withholds a connection as a whole if one of its nodes is withheld, and an edge together with its node (Relay cursor
 * connections specification, sections 2 and 3). What surrounds a node would say that there is a row (the number of
 * edges, `totalCount`, `pageInfo`), and where (`cursor`).
 *
 * It looks at what the connection's resolver gave. A field with a resolver of its own, or given as a function, is
 * checked when GraphQL gets there, and then by itself.
 *
 * @param checkOf - the check of an object of a type.
 * @returns null for a type that is neither, and where nodes are nobody's.
 */
export function connectionCheck(
  type: GraphQLNamedType,
  checkOf: (type: GraphQLNamedType) => Check | null,
): Check | null {
  const parts = partsOf(type).flatMap(({ key, type: part }) => {
    const check = checkOf(part)
    return check ? [{ key, check }] : []
  })
  if (parts.length === 0) return null
  return (value, context, info) => {
    const isShown = (check: Check) => (item: unknown) =>
      settle(item, (found) => isAbsent(found) || settle(check(found, context, info), (shown) => shown !== withheld))
    const all = every(parts, ({ key, check }) =>
      settle((value as Readonly<Record<string | symbol, unknown>>)[key], (given) =>
        every(itemsOf(given), isShown(check)),
      ),
    )
    return settle(all, (shown) => (shown === true ? value : withheld))
  }
}

/** Properties of a connection or an edge in which nodes can be found, with the type of what is there. */
function partsOf(type: GraphQLNamedType): { key: string | symbol; type: GraphQLNamedType }[] {
  if (!isObjectType(type)) return []
  const { edges, nodes, node, cursor } = type.getFields()
  if (node && cursor) return given(node)
  const edge = edges && isListType(getNullableType(edges.type)) ? getNamedType(edges.type) : null
  const nodeOfEdge = isObjectType(edge) ? edge.getFields()['node'] : undefined
  if (!nodeOfEdge) return []
  return [...given(edges), ...given(nodes), { key: beyondPage, type: getNamedType(nodeOfEdge.type) }]
}

const given = (field: GraphQLField<unknown, unknown> | undefined) =>
  field && !field.resolve ? [{ key: field.name, type: getNamedType(field.type) }] : []

/** Nothing of what could be read once only: GraphQL is to find it as it was. */
function itemsOf(value: unknown): unknown[] {
  if (typeof value === 'function') return []
  if (!isIterable(value)) return [value]
  return 'next' in value ? [] : Array.from(value)
}

/** Looks at all of them at once, so that what has to be loaded is loaded together. */
function every<Item>(items: readonly Item[], holds: (item: Item) => unknown): unknown {
  const found = items.map(holds)
  return found.some(isPromise) ? Promise.all(found).then((all) => all.every(Boolean)) : found.every(Boolean)
}
