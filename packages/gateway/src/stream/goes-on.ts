import { type OperationDefinitionNode, print, visit } from 'graphql'
import { RequestRecord } from '../audit/request-record.ts'
import type { GraphQLServer } from '../execute/graphql-server.ts'
import type { PlannedSubscription } from '../execute/plan/planned-subscription.ts'
import type { RequestContext } from '../execute/request-context.ts'
import type { StreamRequest } from './read-stream-request.ts'

/**
 * Whether all that a stream was authorized for would be, too, where `server` serves: it is asked for once more, and not
 * begun.
 */
export async function goesOn(
  server: GraphQLServer,
  asked: StreamRequest,
  context: RequestContext,
  { operation }: Pick<PlannedSubscription, 'operation'>,
): Promise<boolean> {
  let again = null as PlannedSubscription | null
  await server.execute(asked, {
    ...context,
    record: new RequestRecord(context.txn),
    isCounted: true,
    subscribe: (subscription) => (again = subscription),
  })
  if (again === null) return false
  const allowed = fieldsOf(again.operation)
  return [...fieldsOf(operation)].every((field) => allowed.has(field))
}

/** Fields by their place. What is left of an operation for several callers differs in which there are, and in `__typename`. */
function fieldsOf(operation: OperationDefinitionNode): Set<string> {
  const fields = new Set<string>()
  const place: string[] = []
  visit(operation, {
    Field: {
      enter({ name, alias, arguments: given = [] }) {
        place.push(`${alias?.value ?? ''}:${name.value}(${given.map((each) => print(each)).join()})`)
        if (name.value !== '__typename') fields.add(place.join(' '))
      },
      leave: () => void place.pop(),
    },
    InlineFragment: {
      enter: ({ typeCondition }) => void place.push(`...${typeCondition?.name.value ?? ''}`),
      leave: () => void place.pop(),
    },
  })
  return fields
}
