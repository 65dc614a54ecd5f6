import type { ExecutionResult, OperationDefinitionNode } from 'graphql'
import type { RequestContext } from '../request-context.ts'
import type { SubgraphResponse } from '../subgraph-response.ts'

/** A subscription with its variables: whom it is asked of, and what becomes of each event. */
export interface PlannedSubscription {
  /** As it is planned: with its fragments in their places, and without what its variables take out. */
  readonly operation: OperationDefinitionNode
  /** That serves its field. */
  readonly subgraph: string
  /** Of the request to it. */
  readonly body: string
  /** Asks other subgraphs for the rest of an event, and makes of it what the client is shown. */
  answer(event: SubgraphResponse, context: RequestContext): Promise<ExecutionResult>
}
