import { AppError, errorTable, type ErrorCode } from '@behalf/identity'
import {
  executeSync,
  type ExecutionResult,
  type GraphQLFieldResolver,
  GraphQLError,
  type GraphQLSchema,
  printSchema,
} from 'graphql'
import type { AuthorizedSubscription } from '../authorize/authorize-subscription.ts'
import { withoutArguments } from '../authorize/complete-answer.ts'
import type { SubgraphResponse } from '../execute/subgraph-response.ts'

/** An event as the operation has it: what was not asked for is not in it, and null goes as far as it has to. */
export type ShapeEvent = (
  subscription: Pick<AuthorizedSubscription, 'schema' | 'document' | 'variables'>,
  event: SubgraphResponse,
) => ExecutionResult

const code: ErrorCode = 'SUBGRAPH_INVALID_RESPONSE'

/** By response name: a subgraph has named what it answers as the client asked. */
const resolve: GraphQLFieldResolver<Record<string, unknown>, unknown> = (source, _args, _context, { path: { key } }) =>
  Object.hasOwn(source, key) ? source[key] : undefined

export function createShapeEvent(): ShapeEvent {
  const schemas = new WeakMap<GraphQLSchema, GraphQLSchema>()
  function answersOf(schema: GraphQLSchema): GraphQLSchema {
    const known = schemas.get(schema) ?? withoutArguments(printSchema(schema))
    schemas.set(schema, known)
    return known
  }

  return ({ schema, document, variables }, { data, errors }) => {
    const reported = errors.map(
      ({ message, path, code: own, details }) =>
        new GraphQLError(message, { ...(path && { path }), extensions: { code: own, ...details } }),
    )
    const shaped = executeSync({
      schema: answersOf(schema),
      document,
      rootValue: data ?? {},
      variableValues: variables,
      fieldResolver: resolve,
      typeResolver: (value: Record<string, unknown>) => String(value['__typename']),
    })
    if (shaped.data === undefined) throw new AppError('INTERNAL', undefined, { cause: shaped.errors?.[0] })
    const misfits = (shaped.errors ?? []).map(
      ({ path }) => new GraphQLError(errorTable[code].message, { ...(path && { path }), extensions: { code } }),
    )
    const all = [...reported, ...misfits]
    return { data: shaped.data, ...(all.length > 0 && { errors: all }) }
  }
}
