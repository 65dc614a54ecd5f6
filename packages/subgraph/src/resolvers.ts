import type { GraphQLResolveInfo, GraphQLScalarType } from 'graphql'
import type { SubgraphContext } from './request-context.ts'

/**
 * Resolvers by type and field. Each names the types of what it is given:
 * `order: (_parent: unknown, { id }: { id: string }, { db }: Context) => ...`.
 */
export interface Resolvers<Tables> {
  readonly [typeName: string]: ObjectResolvers<Tables> | GraphQLScalarType | Readonly<Record<string, string | number>>
}

interface ObjectResolvers<Tables> {
  /** `__resolveReference(reference, context)`, `__resolveType(value, context)` */
  readonly [special: `__${string}`]: SpecialResolver<Tables>
  readonly [field: string]: FieldResolver<Tables>
}

// Methods, because their parameters are compared in both directions: what a parent or an argument looks like
// is known to the schema, which TypeScript cannot see.
type FieldResolver<Tables> = {
  resolve(parent: unknown, args: unknown, context: SubgraphContext<Tables>, info: GraphQLResolveInfo): unknown
}['resolve']
type SpecialResolver<Tables> = {
  resolve(value: unknown, context: SubgraphContext<Tables>, info: never): unknown
}['resolve']
