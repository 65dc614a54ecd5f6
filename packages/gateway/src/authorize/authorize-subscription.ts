import {
  type DocumentNode,
  type ExecutionResult,
  getVariableValues,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
} from 'graphql'
import { type Authorization, variablesOf, type Variables } from './authorization.ts'
import { operationOf } from './filter-operation.ts'
import { pruneDefinitions } from './prune-definitions.ts'

/** What is left of a subscription for its caller. */
export interface AuthorizedSubscription {
  /** The API schema. */
  readonly schema: GraphQLSchema
  /** One operation with what it uses and nothing else. */
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly variables: Variables
  /** An event as the caller is shown it: with null, and the reason, where something was taken out. */
  complete(event: ExecutionResult): Promise<ExecutionResult>
}

/** Hands over what is allowed, and answers nothing; where nothing is, or variables cannot be used, answers why. */
export async function authorizeSubscription(
  request: {
    readonly schema: GraphQLSchema
    readonly document: DocumentNode
    readonly operationName: string | null
    readonly variables: Variables
  },
  authorization: Authorization | null,
  subscribe: (subscription: AuthorizedSubscription) => void,
): Promise<ExecutionResult> {
  const { schema, document, operationName, variables } = request
  const original = operationOf(document, operationName)
  const { errors } = getVariableValues(schema, original.variableDefinitions ?? [], variables)
  if (errors) return { errors }
  if (authorization?.allowed === null) return authorization.answer(variables, async () => ({ data: {} }))
  const allowed = authorization?.allowed?.document ?? pruneDefinitions(original, fragmentsOf(document))
  const operation = operationOf(allowed, null)
  subscribe({
    schema,
    document: allowed,
    operation,
    variables: variablesOf({ operation }, variables),
    complete: async (event) => authorization?.answer(variables, async () => event) ?? event,
  })
  return { data: null }
}

const fragmentsOf = ({ definitions }: DocumentNode) =>
  new Map(definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])))
