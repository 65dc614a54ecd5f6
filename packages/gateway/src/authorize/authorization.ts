import { createHash } from 'node:crypto'
import {
  type DocumentNode,
  type ExecutionResult,
  getVariableValues,
  type GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
  print,
} from 'graphql'
import { completeAnswer } from './complete-answer.ts'
import { type Denial, wasAskedFor } from './denial.ts'
import { type Decide, filterOperation, operationOf } from './filter-operation.ts'

/** Of an operation, by name: as a client gave them, or coerced. */
export type Variables = Readonly<Record<string, unknown>>

/** An operation as its text: what is cached of it must not be keyed by anything less. */
export interface AuthorizedOperation {
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly source: string
  /** Hexadecimal SHA-256 of `source`: the key for whatever is cached of this operation, plans above all. */
  readonly key: string
}

/** What is left of an operation for callers who lack something that it asks for. */
export interface Authorization {
  /** Null if nothing is left to be executed. */
  readonly allowed: AuthorizedOperation | null
  /** Why fields are gone; at most 100. */
  readonly denials: readonly Denial[]
  /** Of `denials`, those that `@skip` and `@include` leave; none where the variables cannot be used. */
  asked(variables: Variables): readonly Denial[]
  /** Whether a field of this coordinate is gone for its own sake, asked for or not. */
  denies(coordinate: string): boolean
  /** Runs what is allowed, if anything is, and puts null with its reason where something is not. */
  answer(
    variables: Variables,
    run: (operation: AuthorizedOperation, variables: Record<string, unknown>) => Promise<ExecutionResult>,
  ): Promise<ExecutionResult>
}

/**
 * Filters one operation of a document by what was decided of it.
 *
 * @param answers - the same schema {@link withoutArguments}.
 */
export function createAuthorization(
  { schema, answers }: { readonly schema: GraphQLSchema; readonly answers: GraphQLSchema },
  document: DocumentNode,
  operationName: string | null,
  decide: Decide,
): Authorization {
  const { document: rest, denials, removed } = filterOperation({ schema, document, operationName, decide })
  const allowed = rest && describe(rest)
  const { variableDefinitions = [] } = operationOf(document, operationName)
  return {
    allowed,
    denials,
    asked(rawVariables) {
      const { coerced } = getVariableValues(schema, variableDefinitions, rawVariables)
      return coerced ? denials.filter((denial) => wasAskedFor(denial, coerced)) : []
    },
    denies: (coordinate) => [...removed.values()].flat().some((denial) => denial.coordinate === coordinate),
    async answer(rawVariables, run) {
      // As if nothing were removed: what is wrong with the request does not depend on who makes it.
      const { errors, coerced } = getVariableValues(schema, variableDefinitions, rawVariables)
      if (errors) return { errors }
      const result = allowed ? await run(allowed, variablesOf(allowed, rawVariables)) : { data: {} }
      const parts = { schema: answers, document, operationName, denials, removed }
      return completeAnswer({ ...parts, rawVariables, variables: coerced, result })
    },
  }
}

/** A request whose variables cannot be used is answered so, whoever makes it. */
export const unusableVariables = (errors: readonly GraphQLError[]): Authorization => ({
  allowed: null,
  denials: [],
  asked: () => [],
  denies: () => false,
  answer: async () => ({ errors }),
})

function describe(document: DocumentNode): AuthorizedOperation {
  const source = print(document)
  const key = createHash('sha256').update(source).digest('hex')
  return { document, operation: operationOf(document, null), source, key }
}

/** Values of variables that are not, or no longer, declared are not passed on. */
function variablesOf(
  { operation: { variableDefinitions = [] } }: Pick<AuthorizedOperation, 'operation'>,
  variables: Variables,
): Record<string, unknown> {
  const names = variableDefinitions.map(({ variable }) => variable.name.value)
  return Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(variables, name) ? [[name, variables[name]] as const] : [])),
  )
}
