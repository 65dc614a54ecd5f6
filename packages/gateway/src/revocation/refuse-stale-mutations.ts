import { HeaderMap } from '@apollo/server'
import { AppError } from '@behalf/identity'
import { GraphQLError, OperationTypeNode } from 'graphql'
import type { CheckOperation } from '../execute/check-operation.ts'
import type { RevocationGuard } from './revocation-guard.ts'

/** Nothing is changed for somebody of whom it cannot be told whether they still may: asked where an operation's type is known. */
export function refuseStaleMutations(guard: RevocationGuard): CheckOperation {
  return ({ operation, contextValue: { principal } }) => {
    if (operation.operation !== OperationTypeNode.MUTATION || principal.issuer === null) return
    try {
      guard.requireFresh()
    } catch (error) {
      throw error instanceof AppError ? asRequestError(error) : error
    }
  }
}

function asRequestError({ message, code, status, details: { retryAfter = 1 } }: AppError): GraphQLError {
  const headers = new HeaderMap([['retry-after', String(retryAfter)]])
  return new GraphQLError(message, { extensions: { code, http: { status, headers } } })
}
