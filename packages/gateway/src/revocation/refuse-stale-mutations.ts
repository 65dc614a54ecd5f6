import { type ApolloServerPlugin, type GraphQLRequestListener, HeaderMap } from '@apollo/server'
import { AppError } from '@behalf/identity'
import { GraphQLError, type OperationDefinitionNode, OperationTypeNode } from 'graphql'
import type { RequestContext } from '../execute/request-context.ts'
import type { RevocationGuard } from './revocation-guard.ts'

/** Nothing is changed for somebody of whom it cannot be told whether they still may: asked where an operation's type is known. */
export function refuseStaleMutations(
  guard: RevocationGuard,
): ApolloServerPlugin<RequestContext & Record<string, unknown>> {
  const listener: GraphQLRequestListener<RequestContext & Record<string, unknown>> = {
    async didResolveOperation({
      operation,
      contextValue: { principal },
    }: {
      readonly operation?: OperationDefinitionNode
      readonly contextValue: RequestContext
    }) {
      if (operation?.operation !== OperationTypeNode.MUTATION || principal.issuer === null) return
      try {
        guard.requireFresh()
      } catch (error) {
        throw error instanceof AppError ? asRequestError(error) : error
      }
    },
  }
  return { requestDidStart: async () => listener }
}

function asRequestError({ message, code, status, details: { retryAfter = 1 } }: AppError): GraphQLError {
  const headers = new HeaderMap([['retry-after', String(retryAfter)]])
  return new GraphQLError(message, { extensions: { code, http: { status, headers } } })
}
