import { AppError } from '@behalf/identity'
import {
  type DocumentNode,
  type ExecutionResult,
  getVariableValues,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql'
import type { LRUCache } from 'lru-cache'
import { inSpan } from '../../tracing.ts'
import type { RequestContext } from '../request-context.ts'
import { createAnswerErrors } from './answer-errors.ts'
import { createClientPaths, type Path } from './client-paths.ts'
import type { ClientOperation } from './collect-fields.ts'
import { compileAnswer } from './complete-answer.ts'
import { compilePlan } from './compile-plan.ts'
import { startCompletion } from './completion.ts'
import { normaliseOperation } from './normalise-operation.ts'
import { preparePlanning } from './plannable-operation.ts'
import type { PlannedSupergraph } from './read-supergraph.ts'
import type { PlanParts, Run } from './run.ts'

type Variables = Readonly<Record<string, unknown>>

/** Executes one operation, any number of times. */
export type ExecuteOperation = (variables: Variables, context: RequestContext) => Promise<ExecutionResult>

export interface OperationParts extends Pick<PlanParts, 'subgraphOf' | 'isOfType'> {
  readonly supergraph: PlannedSupergraph
  /** That hold, of the supergraph's. */
  readonly overrideLabels: readonly string[]
  /** Of all operations: for one, there is a plan for each way in which its conditions come out. */
  readonly plans: LRUCache<string, ExecuteOperation>
}

export interface KeptOperation {
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  /** Under which its plans are kept: nobody else's operation has the same. */
  readonly key: string
  /** Characters of its text, and at least one. */
  readonly size: number
}

/**
 * Prepares an operation: what depends on nothing but its text, and on the values of variables that decide which fields
 * are wanted, is done once.
 */
export function compileOperation(
  { document, operation, key, size }: KeptOperation,
  parts: OperationParts,
): ExecuteOperation {
  const { apiSchema } = parts.supergraph
  const { variableDefinitions = [] } = operation
  const conditionNames = conditionsOf(document)
  const unconditionalKey = `${key} `

  return async (variables, context) => {
    const { coerced = {}, errors } =
      variableDefinitions.length > 0 ? getVariableValues(apiSchema, variableDefinitions, variables) : nothing
    if (errors) return { errors }
    const conditions = conditionNames.map((name) => coerced[name])
    if (!conditions.every((value) => typeof value === 'boolean')) return { errors: [conditionError()] }
    const planKey = conditions.length > 0 ? `${key} ${conditions.join()}` : unconditionalKey
    const known = parts.plans.get(planKey)
    if (known) return known(variables, context)
    const execute = await inSpan('gateway.plan', {}, async () =>
      planOperation(normaliseOperation(apiSchema, document, operation, coerced), parts),
    )
    parts.plans.set(planKey, execute, { size })
    return execute(variables, context)
  }
}

const nothing: ReturnType<typeof getVariableValues> = { coerced: {} }

function planOperation(operation: OperationDefinitionNode, parts: OperationParts): ExecuteOperation {
  const { supergraph, overrideLabels, subgraphOf, isOfType } = parts
  const { document, sourceOf, variableOf } = preparePlanning(operation, supergraph.addedNames)
  const client: ClientOperation = { schema: supergraph.apiSchema, operation, sourceOf }
  const answer = compileAnswer(client)
  const clientPathOf = createClientPaths(client)
  const step = document && compilePlan(supergraph.plan(document, overrideLabels), { subgraphOf, isOfType, variableOf })
  if (step === null && answer.asksSubgraphs)
    throw new AppError('INTERNAL', undefined, { cause: 'the planner found no way to answer the operation' })

  return async (variables, context) => {
    const errors = createAnswerErrors(clientPathOf)
    const run: Run = { data: {}, variables, context, errors, isShared: false }
    await step?.(run)
    const completion = startCompletion(variables)
    const data = answer.complete(run.data, completion)
    errors.addMisfits(completion.misfits)
    if (errors.all.length === 0) return { data }
    const told = errors.all.filter(({ path = [] }) => isOfAnswer(data, path))
    return told.length === 0 ? { data } : { errors: told, data }
  }
}

/** Plans may ask for more than the type of an object has for the client; what became of that is nothing to it. */
function isOfAnswer(data: unknown, path: Path): boolean {
  let value = data
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return true
    if (!Object.hasOwn(value, key)) return false
    value = (value as Record<string | number, unknown>)[key]
  }
  return true
}

/** Variables on which `@skip` or `@include` depend. */
function conditionsOf(document: DocumentNode): readonly string[] {
  const names = new Set<string>()
  visit(document, {
    Directive({ name, arguments: given = [] }) {
      if (name.value !== 'skip' && name.value !== 'include') return
      for (const { value } of given) if (value.kind === Kind.VARIABLE) names.add(value.name.value)
    },
  })
  return [...names]
}

/** Null is a value that a variable with a default may have, but none of `if: Boolean!`. */
const conditionError = () =>
  new GraphQLError('A variable of @skip or @include must be true or false.', { extensions: { code: 'BAD_USER_INPUT' } })
