import { AppError, type OperationType } from '@behalf/identity'
import { type DocumentNode, getOperationAST, GraphQLError, type GraphQLSchema, parse, validate } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { GraphQLRequest } from './read-request.ts'

/** The operation that a request asks for. */
export interface Operation extends Pick<GraphQLRequest, 'operationName' | 'variables'> {
  readonly type: OperationType
  readonly document: DocumentNode
  /** Why it cannot be executed, as validation finds (GraphQL, section 5), when somebody first wants to know. */
  faults(): readonly GraphQLError[]
}

/** @throws {AppError} `GRAPHQL_PARSE_FAILED`, `OPERATION_RESOLUTION_FAILURE` */
export type ReadOperation = (request: GraphQLRequest) => Operation

/** Remembers what it found by the request's text, so that a repeated query is neither parsed nor validated again. */
export function createReadOperation(schema: GraphQLSchema): ReadOperation {
  const documents = new LRUCache<string, Pick<Operation, 'document' | 'faults'>>({
    max: 1000,
    // In characters. One large text must not push out all others.
    maxSize: 1024 * 1024,
    maxEntrySize: 32 * 1024,
    sizeCalculation: (_document, query) => query.length,
  })

  function documentOf(query: string): Pick<Operation, 'document' | 'faults'> {
    const known = documents.get(query)
    if (known !== undefined) return known
    const document = parseQuery(query)
    let faults: readonly GraphQLError[] | undefined
    const read = { document, faults: () => (faults ??= validate(schema, document)) }
    documents.set(query, read)
    return read
  }

  return ({ query, operationName, variables }) => {
    const { document, faults } = documentOf(query)
    const type = getOperationAST(document, operationName)?.operation
    if (type === undefined) throw new AppError('OPERATION_RESOLUTION_FAILURE')
    return { type, document, operationName, variables, faults }
  }
}

function parseQuery(query: string): DocumentNode {
  try {
    return parse(query)
  } catch (cause) {
    throw new AppError('GRAPHQL_PARSE_FAILED', cause instanceof GraphQLError ? cause.message : undefined, { cause })
  }
}
