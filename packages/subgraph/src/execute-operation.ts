import { type ErrorCode, errorTable } from '@behalf/identity'
import { execute, GraphQLError, type GraphQLSchema } from 'graphql'
import { maskError } from './mask-error.ts'
import type { NoteErrors } from './note-errors.ts'
import type { Operation } from './read-operation.ts'
import type { RequestContext } from './request-context.ts'

/** An answer, as it is sent: `body` is JSON. */
export interface Answer {
  readonly status: number
  readonly body: string
}

export type ExecuteOperation = (operation: Operation, context: RequestContext<unknown>) => Promise<Answer>

/** Executes queries and mutations: 400 where nothing was executed, 200 otherwise (GraphQL over HTTP, section 6.4.1). */
export function createExecuteOperation(schema: GraphQLSchema, noteErrors: NoteErrors): ExecuteOperation {
  function answer(
    status: number,
    errors: readonly GraphQLError[],
    { identity }: RequestContext<unknown>,
    data?: unknown,
  ) {
    noteErrors(errors, identity)
    return { status, body: JSON.stringify({ errors: errors.map((error) => maskError(error.toJSON(), error)), data }) }
  }
  const refuse = (code: ErrorCode, errors: readonly GraphQLError[], context: RequestContext<unknown>) =>
    answer(errorTable[code].status, errors.map(codedBy(code)), context)

  return async (operation, contextValue) => {
    const faults = operation.faults()
    if (faults.length > 0) return refuse('GRAPHQL_VALIDATION_FAILED', faults, contextValue)
    const { document, operationName, variables: variableValues } = operation
    const { data, errors } = await execute({ schema, document, operationName, variableValues, contextValue })
    if (errors === undefined) return { status: 200, body: JSON.stringify({ data }) }
    // Only variables are looked at before anything is executed (GraphQL, section 6.1).
    return data === undefined ? refuse('BAD_USER_INPUT', errors, contextValue) : answer(200, errors, contextValue, data)
  }
}

const codedBy =
  (code: ErrorCode) =>
  ({ message, nodes }: GraphQLError): GraphQLError =>
    new GraphQLError(message, { nodes: nodes ?? null, extensions: { code } })
