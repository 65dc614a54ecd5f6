import { AppError, type OperationType } from '@behalf/identity'
import { type DocumentNode, getOperationAST, GraphQLError, parse } from 'graphql'

/** Finds the type of the operation that a request asks for. */
export type ReadOperationType = (query: string, operationName: string | null) => OperationType

/**
 * Remembers the least recently used documents by their text, so that a repeated query is not parsed again.
 *
 * @param size - documents to remember; longer texts than `longest` characters never are.
 */
export function createDocumentCache(size = 1000, longest = 32_768): ReadOperationType {
  const documents = new Map<string, DocumentNode>()

  function read(query: string): DocumentNode {
    const known = documents.get(query)
    if (known !== undefined) {
      documents.delete(query)
      documents.set(query, known)
      return known
    }
    const document = parseQuery(query)
    if (query.length <= longest) {
      documents.set(query, document)
      const [oldest] = documents.keys()
      if (documents.size > size && oldest !== undefined) documents.delete(oldest)
    }
    return document
  }

  return (query, operationName) => {
    const operation = getOperationAST(read(query), operationName)
    if (!operation) throw new AppError('OPERATION_RESOLUTION_FAILURE')
    return operation.operation
  }
}

function parseQuery(query: string): DocumentNode {
  try {
    return parse(query, { noLocation: true })
  } catch (cause) {
    throw new AppError('GRAPHQL_PARSE_FAILED', cause instanceof GraphQLError ? cause.message : undefined, { cause })
  }
}
