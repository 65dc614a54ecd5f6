import { AppError } from '@behalf/identity'
import {
  type DocumentNode,
  getNamedType,
  isAbstractType,
  Kind,
  parse,
  print,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import type { AuthorizedSubscription } from '../authorize/authorize-subscription.ts'
import { readSubscriptionParts, type SubgraphPart } from './subgraph-part.ts'

export interface RoutedSubscription {
  readonly subgraph: string
  /** What the subgraph is asked: the types of objects, too, where only they tell which fields an object has. */
  readonly query: string
}

/** Finds who serves a subscription. @throws {AppError} `SUBSCRIPTION_NOT_SERVED` where that is not one subgraph. */
export type RouteSubscription = (
  subscription: Pick<AuthorizedSubscription, 'document' | 'operation'>,
) => RoutedSubscription

export function createRouteSubscription(supergraph: string): RouteSubscription {
  const parts = readSubscriptionParts(parse(supergraph, { noLocation: true }))
  return ({ document, operation }) => {
    const field = rootFieldOf(document, operation.selectionSet)
    const part = field === undefined ? undefined : parts.get(field)
    const [elsewhere] = part ? validate(part.schema, document) : []
    if (part === undefined || elsewhere)
      throw new AppError('SUBSCRIPTION_NOT_SERVED', undefined, { cause: elsewhere?.message ?? 'no such field' })
    return { subgraph: part.name, query: print(withTypenames(document, part)) }
  }
}

/** There is exactly one, which validation has seen to (GraphQL 5.2.4.1). */
function rootFieldOf(
  document: DocumentNode,
  set: { readonly selections: AuthorizedSubscription['operation']['selectionSet']['selections'] },
): string | undefined {
  for (const node of set.selections) {
    if (node.kind === Kind.FIELD) return node.name.value
    const fragment =
      node.kind === Kind.INLINE_FRAGMENT
        ? node
        : document.definitions.find(
            (each) => each.kind === Kind.FRAGMENT_DEFINITION && each.name.value === node.name.value,
          )
    const found = fragment && 'selectionSet' in fragment ? rootFieldOf(document, fragment.selectionSet) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

const typename = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } } as const

function withTypenames(document: DocumentNode, { schema }: SubgraphPart): DocumentNode {
  const info = new TypeInfo(schema)
  return visit(
    document,
    visitWithTypeInfo(info, {
      Field: {
        leave({ selectionSet, ...field }) {
          if (!selectionSet || !isAbstractType(getNamedType(info.getType()))) return undefined
          return { ...field, selectionSet: { ...selectionSet, selections: [typename, ...selectionSet.selections] } }
        },
      },
    }),
  )
}
