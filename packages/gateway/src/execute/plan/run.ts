import type { OperationType } from '@behalf/identity'
import type { RequestContext } from '../request-context.ts'
import type { SubgraphResponse } from '../subgraph-response.ts'
import type { AnswerErrors } from './answer-errors.ts'
import type { Data } from './places.ts'
import type { IsOfType } from './type-conditions.ts'

/** One execution of a plan. Nothing in it outlives the request or is seen by another. */
export interface Run {
  /** What subgraphs have answered so far. */
  readonly data: Data
  /** As the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>
  readonly context: RequestContext
  readonly errors: AnswerErrors
  /** Whether an object of the data is in several places: entities that are one and the same share what is fetched. */
  isShared: boolean
}

/** Of a plan for an event of a subscription: what its subgraph told. */
export interface EventContext extends RequestContext {
  readonly event: SubgraphResponse
}

/** A part of a plan. It does not fail: what goes wrong is among the run's errors. */
export type Step = (run: Run) => Promise<void> | void

/** What all requests of one fetch have in common. */
export interface Fetch {
  readonly operation: OperationType
  /** By name, aliases aside. */
  readonly rootFields: readonly string[]
}

/**
 * Sends one request of a fetch.
 *
 * @param entities - how many have to come (`_entities`); null for a fetch of root fields.
 * @throws {AppError} where there is no answer that can be read.
 */
export type SendFetch = (body: string, context: RequestContext, entities: number | null) => Promise<SubgraphResponse>

/** Where fetches go. */
export interface Subgraph {
  prepare(fetch: Fetch): SendFetch
}

/** What a plan is compiled with. */
export interface PlanParts {
  /** @throws {TypeError} if there is none of that name. */
  readonly subgraphOf: (name: string) => Subgraph
  readonly isOfType: IsOfType
  /** The client's name of a variable of the plan. */
  readonly variableOf: (name: string) => string
  /** Whether what is fetched of one entity may differ from place to place (`@fromContext`). */
  readonly usesContexts: boolean
}
