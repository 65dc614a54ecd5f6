import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import type { RequestContext } from './request-context.ts'

/** An operation that validated, before it is authorized and planned. */
export interface ResolvedOperation {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly variables: Readonly<Record<string, unknown>>
  readonly contextValue: RequestContext
}

/**
 * Looks at an operation before anything is done with it.
 *
 * @throws {GraphQLError} for which nothing is.
 */
export type CheckOperation = (resolved: ResolvedOperation) => void | Promise<void>
