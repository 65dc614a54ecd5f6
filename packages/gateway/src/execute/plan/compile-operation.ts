import { AppError } from '@behalf/identity'
import {
  type DocumentNode,
  type ExecutionResult,
  getVariableValues,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  print,
  visit,
} from 'graphql'
import type { LRUCache } from 'lru-cache'
import { inSpan } from '../../tracing.ts'
import type { RequestContext } from '../request-context.ts'
import { createAnswerErrors } from './answer-errors.ts'
import { createClientPaths, type Path } from './client-paths.ts'
import type { ClientOperation } from './collect-fields.ts'
import { compileAnswer } from './complete-answer.ts'
import { compilePlan, compileSubscription } from './compile-plan.ts'
import { startCompletion } from './completion.ts'
import { type LiftedOperation, liftLiterals } from './lift-literals.ts'
import { normaliseOperation } from './normalise-operation.ts'
import { preparePlanning } from './plannable-operation.ts'
import type { PlannedSupergraph } from './read-supergraph.ts'
import { prepareBody } from './request-body.ts'
import type { EventContext, PlanParts, Run, Step } from './run.ts'

type Variables = Readonly<Record<string, unknown>>

/** Executes one operation, any number of times. */
export type ExecuteOperation = (variables: Variables, context: RequestContext) => Promise<ExecutionResult>

export interface OperationParts extends Pick<PlanParts, 'subgraphOf' | 'isOfType'> {
  readonly supergraph: PlannedSupergraph
  /** That hold, of the supergraph's. */
  readonly overrideLabels: readonly string[]
  /** Of all operations, by what is asked for: literals aside, and as their conditions come out. */
  readonly plans: LRUCache<string, ExecuteOperation>
}

export interface KeptOperation {
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  /** Of overrides that hold for it. */
  readonly labels: readonly string[]
  /** Characters of its text, and at least one. */
  readonly size: number
}

/**
 * Prepares an operation: what depends on nothing but its text, and on the values of variables that decide which fields
 * are wanted, is done once.
 */
export function compileOperation(
  { document, operation, labels, size }: KeptOperation,
  parts: OperationParts,
): ExecuteOperation {
  const { apiSchema } = parts.supergraph
  const { variableDefinitions = [] } = operation
  const conditionNames = conditionsOf(document)
  const shapes = new Map<string, Shape>()

  function lift(coerced: Variables): LiftedOperation {
    return liftLiterals(apiSchema, normaliseOperation(apiSchema, document, operation, coerced))
  }

  /** @param decided - how the conditions come out: of many, there are too many combinations for all of them to be kept. */
  function keep(decided: string, { operation: lifted, values }: LiftedOperation): Shape {
    const shape = { key: [print(lifted), ...labels].join(' '), values }
    if (shapes.size < maxShapes) shapes.set(decided, shape)
    return shape
  }

  return async (variables, context) => {
    const { coerced = {}, errors } =
      variableDefinitions.length > 0 ? getVariableValues(apiSchema, variableDefinitions, variables) : nothing
    if (errors) return { errors }
    const conditions = conditionNames.map((name) => coerced[name])
    if (!conditions.every((value) => typeof value === 'boolean')) return { errors: [conditionError()] }
    const decided = conditions.join()
    let lifted: LiftedOperation | null = null
    const shape = shapes.get(decided) ?? keep(decided, (lifted = lift(coerced)))
    const given = shape.values === null ? variables : { ...variables, ...shape.values }
    let execute = parts.plans.get(shape.key)
    if (execute === undefined) {
      const { operation: planned } = lifted ?? lift(coerced)
      execute = await inSpan('gateway.plan', {}, async () => planOperation(planned, parts))
      parts.plans.set(shape.key, execute, { size: Math.max(size, shape.key.length) })
    }
    return execute(given, context)
  }
}

/** What is asked for, literals aside, and these. */
interface Shape extends Pick<LiftedOperation, 'values'> {
  /** The normalised operation as text, under which its plan is kept: nothing else that is planned has the same. */
  readonly key: string
}

const maxShapes = 4

const nothing: ReturnType<typeof getVariableValues> = { coerced: {} }

function planOperation(operation: OperationDefinitionNode, parts: OperationParts): ExecuteOperation {
  const { supergraph, overrideLabels } = parts
  const { document, sourceOf, variableOf } = preparePlanning(operation, supergraph.addedNames)
  const client: ClientOperation = { schema: supergraph.apiSchema, operation, sourceOf }
  const answer = compileAnswer(client)
  const clientPathOf = createClientPaths(client)
  const plan = document && supergraph.plan(document, overrideLabels)
  const planParts = { ...parts, variableOf }

  const executing =
    (step: Step | null): ExecuteOperation =>
    async (variables, context) => {
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

  if (operation.operation === OperationTypeNode.SUBSCRIPTION) {
    if (plan?.node?.kind !== 'Subscription') throw new AppError('SUBSCRIPTION_NOT_SERVED')
    const { primary } = plan.node
    const encode = prepareBody(primary, variableOf)
    const answerEvent = executing(compileSubscription(plan.node, planParts))
    return async (variables, { subscribe }) => {
      subscribe?.({
        operation,
        subgraph: primary.serviceName,
        body: encode(variables),
        async answer(event, context) {
          const ofEvent: EventContext = { ...context, event }
          return answerEvent(variables, ofEvent)
        },
      })
      return { data: null }
    }
  }
  const step = plan && compilePlan(plan, planParts)
  if (step === null && answer.asksSubgraphs)
    throw new AppError('INTERNAL', undefined, { cause: 'the planner found no way to answer the operation' })
  return executing(step)
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
