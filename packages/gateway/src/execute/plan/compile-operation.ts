import { AppError } from '@behalf/identity'
import {
  type DocumentNode,
  type ExecutionResult,
  getVariableValues,
  GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
  visit,
} from 'graphql'
import type { RequestContext } from '../request-context.ts'
import { createAnswerErrors } from './answer-errors.ts'
import { type ClientPathOf, createClientPaths } from './client-paths.ts'
import { type ClientOperation, fragmentsOf } from './collect-fields.ts'
import { type AnswerCompletion, compileAnswer } from './complete-answer.ts'
import { startCompletion } from './completion.ts'
import type { Run, Step } from './run.ts'

/** An operation that was planned, ready to be executed any number of times. */
export type ExecuteOperation = (
  variables: Readonly<Record<string, unknown>>,
  context: RequestContext,
) => Promise<ExecutionResult>

/** What depends on the values of variables by which fields are wanted or not. */
interface Variant {
  readonly answer: AnswerCompletion
  readonly clientPathOf: ClientPathOf
}

/** Of 2 to the number of such variables, a client is not likely to want more. */
const maxVariants = 32

/** @param step - the compiled plan; null if nothing is asked of subgraphs. */
export function compileOperation(options: {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly sourceOf: ClientOperation['sourceOf']
  readonly step: Step | null
}): ExecuteOperation {
  const { schema, document, operation, sourceOf, step } = options
  const { variableDefinitions = [] } = operation
  const conditionNames = conditionsOf(document)
  const variants = new Map<string, Variant>()

  function variantFor(conditions: readonly boolean[]): Variant {
    const key = conditions.join()
    const known = variants.get(key)
    if (known) return known
    const client: ClientOperation = {
      schema,
      operation,
      fragments: fragmentsOf(document),
      conditions: Object.fromEntries(conditionNames.map((name, index) => [name, conditions[index]])),
      sourceOf,
    }
    const variant = { answer: compileAnswer(client), clientPathOf: createClientPaths(client) }
    if (step === null && variant.answer.asksSubgraphs)
      throw new AppError('INTERNAL', undefined, { cause: 'the planner found no way to answer the operation' })
    if (variants.size >= maxVariants) variants.clear()
    variants.set(key, variant)
    return variant
  }

  return async (variables, context) => {
    const { coerced = {}, errors } = getVariableValues(schema, variableDefinitions, variables)
    if (errors) return { errors }
    const conditions = conditionNames.map((name) => coerced[name])
    if (!conditions.every((value) => typeof value === 'boolean')) return { errors: [conditionError()] }
    const { answer, clientPathOf } = variantFor(conditions)

    const answerErrors = createAnswerErrors(clientPathOf)
    const run: Run = { data: {}, variables, coerced, context, errors: answerErrors, isShared: false }
    if (step) await step(run)
    const completion = startCompletion(variables)
    const data = answer.complete(run.data, completion)
    answerErrors.addMisfits(completion.misfits)
    return answerErrors.all.length === 0 ? { data } : { errors: answerErrors.all, data }
  }
}

/** Variables of which `@skip` or `@include` make fields depend. */
function conditionsOf(document: DocumentNode): readonly string[] {
  const names = new Set<string>()
  visit(document, {
    Directive({ name, arguments: given = [] }) {
      if (name.value !== 'skip' && name.value !== 'include') return
      for (const { value } of given) if (value.kind === 'Variable') names.add(value.name.value)
    },
  })
  return [...names]
}

/** Null is no value of `if: Boolean!`, but one that a variable with a default may have. */
const conditionError = () =>
  new GraphQLError('A variable of @skip or @include must be true or false.', { extensions: { code: 'BAD_USER_INPUT' } })
