import { HeaderMap } from '@apollo/server'
import { AppError } from '@behalf/identity'
import { GraphQLError, type OperationDefinitionNode } from 'graphql'
import type { CheckOperation } from '../execute/check-operation.ts'
import { measureOperation, type OperationMeasures } from './measure-operation.ts'
import { type OperationLimits, requireWithin } from './operation-limits.ts'
import type { RateLimits } from './rate-limits.ts'

/**
 * Refuses operations that ask for too much, before they are authorized and planned: what counts is what was sent, so
 * that it does not depend on the caller. A tool's operation is bounded when it is composed, and only costs.
 */
export function limitOperations(options: {
  readonly limits: OperationLimits
  readonly rates: Pick<RateLimits, 'cost'>
}): CheckOperation {
  const { limits, rates } = options
  /** By the node of a document that Apollo Server keeps, within bounds, for as long as its schema. */
  const known = new WeakMap<OperationDefinitionNode, OperationMeasures>()

  return ({ schema, document, operation, variables, contextValue }) => {
    if (contextValue.isCounted) return undefined
    try {
      let measures = known.get(operation)
      if (measures === undefined) known.set(operation, (measures = measureOperation(schema, document, operation)))
      const cost = measures.cost(variables)
      contextValue.record.cost = Math.min(cost, Number.MAX_SAFE_INTEGER)
      if (!contextValue.principal.actor?.tool) requireWithin(limits, measures, cost)
      return rates.cost(contextValue, cost)?.catch(refuse)
    } catch (error) {
      return refuse(error)
    }
  }
}

function refuse(error: unknown): never {
  throw error instanceof AppError ? refusal(error) : error
}

function refusal({ code, status, message, details }: AppError): GraphQLError {
  const headers = new HeaderMap()
  if (details.retryAfter !== undefined) headers.set('retry-after', String(details.retryAfter))
  return new GraphQLError(message, { extensions: { code, ...details, http: { status, headers } } })
}
