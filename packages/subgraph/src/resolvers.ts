import type { GraphQLResolveInfo, GraphQLScalarType } from 'graphql'
import type { SubgraphContext } from './request-context.ts'
import type { SubscribeContext } from './subscribe-context.ts'

/**
 * Resolvers by type and field. `behalf types` makes a closer type from the schema:
 * `{ Query: { order: (_root, { id }, { db }) => ... } } satisfies Resolvers`.
 */
export interface Resolvers<Tables> {
  readonly [typeName: string]: ObjectResolvers<Tables> | GraphQLScalarType | Readonly<Record<string, string | number>>
}

interface ObjectResolvers<Tables> {
  /** `__resolveReference(reference, context)`, `__resolveType(value, context)` */
  readonly [special: `__${string}`]: SpecialResolver<Tables>
  readonly [field: string]: FieldResolver<Tables> | SubscriptionResolver<Tables>
}

// Methods, because their parameters are compared in both directions: what a parent or an argument looks like
// is known to the schema, which TypeScript cannot see.
type FieldResolver<Tables> = {
  resolve(parent: unknown, args: unknown, context: SubgraphContext<Tables>, info: GraphQLResolveInfo): unknown
}['resolve']
/** Of a Subscription field: where its events come from, and what each is shown as; by default as it is. */
interface SubscriptionResolver<Tables> {
  subscribe(root: unknown, args: unknown, context: SubscribeContext<Tables>): AsyncIterable<unknown>
  resolve?(event: unknown, args: unknown, context: SubgraphContext<Tables>, info: GraphQLResolveInfo): unknown
}
type SpecialResolver<Tables> = {
  resolve(value: unknown, context: SubgraphContext<Tables>, info: never): unknown
}['resolve']
