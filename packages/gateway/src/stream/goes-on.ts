import { Kind, visit } from 'graphql'
import { RequestRecord } from '../audit/request-record.ts'
import type { AuthorizedSubscription } from '../authorize/authorize-subscription.ts'
import type { GraphQLServer } from '../execute/graphql-server.ts'
import type { RequestContext } from '../execute/request-context.ts'
import type { StreamRequest } from './read-stream-request.ts'

/** Whether all that a stream was authorized for would be, too, where `server` serves: it is asked for once more, and not begun. */
export async function goesOn(
  server: GraphQLServer,
  asked: StreamRequest,
  context: RequestContext,
  { document }: Pick<AuthorizedSubscription, 'document'>,
): Promise<boolean> {
  let again: AuthorizedSubscription | null = null as AuthorizedSubscription | null
  await server.executeOperation(asked, {
    contextValue: {
      ...context,
      record: new RequestRecord(context.txn),
      isCounted: true,
      subscribe: (subscription) => (again = subscription),
    },
  })
  if (again === null) return false
  const allowed = fieldsOf(again)
  return [...fieldsOf({ document })].every((field) => allowed.has(field))
}

/**
 * Fields by their place in a text. What is left of one text for several callers differs in nothing but which of them
 * are there, and in `__typename`.
 */
function fieldsOf({ document }: Pick<AuthorizedSubscription, 'document'>): Set<string> {
  const fields = new Set<string>()
  const place: string[] = []
  visit(document, {
    enter(node) {
      switch (node.kind) {
        case Kind.FIELD: {
          const name = node.name.value
          place.push(`${node.alias?.value ?? name}:${name}`)
          if (name !== '__typename') fields.add(place.join(' '))
          return
        }
        case Kind.FRAGMENT_SPREAD:
          fields.add(`${place.join(' ')} ...${node.name.value}`)
          return
        case Kind.FRAGMENT_DEFINITION:
          place.push(`fragment ${node.name.value}`)
          return
        case Kind.INLINE_FRAGMENT:
          place.push(`...on ${node.typeCondition?.name.value ?? ''}`)
          return
        default:
      }
    },
    leave({ kind }) {
      if (kind === Kind.FIELD || kind === Kind.INLINE_FRAGMENT || kind === Kind.FRAGMENT_DEFINITION) place.pop()
    },
  })
  return fields
}
