import { AppError, type OperationType } from '@behalf/identity'
import { type DocumentNode, getOperationAST, GraphQLError, parse } from 'graphql'
import { LRUCache } from 'lru-cache'

/** Finds the type of the operation that a request asks for. */
export type ReadOperationType = (query: string, operationName: string | null) => OperationType

/** Remembers what it found by the request's text, so that a repeated query is not parsed again for it. */
export function createReadOperationType(): ReadOperationType {
  const types = new LRUCache<string, OperationType>({
    max: 1000,
    // In characters. One large text must not push out all others.
    maxSize: 4 * 1024 * 1024,
    maxEntrySize: 32 * 1024,
    sizeCalculation: (_type, key) => key.length,
  })
  return (query, operationName) => {
    // As JSON, in which no name can pass for the beginning of a query.
    const key = JSON.stringify([operationName, query])
    const known = types.get(key)
    if (known !== undefined) return known
    const operation = getOperationAST(parseQuery(query), operationName)?.operation
    if (operation === undefined) throw new AppError('OPERATION_RESOLUTION_FAILURE')
    types.set(key, operation)
    return operation
  }
}

function parseQuery(query: string): DocumentNode {
  try {
    return parse(query, { noLocation: true })
  } catch (cause) {
    throw new AppError('GRAPHQL_PARSE_FAILED', cause instanceof GraphQLError ? cause.message : undefined, { cause })
  }
}
