import type { ApolloServerOptionsWithGateway, BaseContext } from '@apollo/server'
import type { Graph, Policies } from '@behalf/identity'
import type { GraphQLSchema } from 'graphql'
import type { Logger } from 'pino'
import type { RequestContext } from '../execute/request-context.ts'
import { type AuthorizationMode, type ChallengeOf, rejection, reportOf } from './authorization-mode.ts'
import type { Authorization } from './authorization.ts'
import { type Authorize, createAuthorize } from './authorize.ts'

type GatewayInterface = ApolloServerOptionsWithGateway<BaseContext>['gateway']
type Executor = NonNullable<Awaited<ReturnType<GatewayInterface['load']>>['executor']>

export interface AuthorizationOptions extends Pick<Graph, 'rules' | 'subjects'> {
  readonly policies: Policies
  readonly mode: AuthorizationMode
  readonly challengeOf: ChallengeOf
  readonly log: Logger
}

/** Puts authorization before a gateway's planning and execution. Contexts must have a `principal` and a `txn`. */
export function authorizeGateway(gateway: GatewayInterface, options: AuthorizationOptions): GatewayInterface {
  return {
    onSchemaLoadOrUpdate: (callback) => gateway.onSchemaLoadOrUpdate(callback),
    stop: () => gateway.stop(),
    async load(loading) {
      const { executor } = await gateway.load(loading)
      return { executor: executor && authorizeExecutor(executor, options) }
    },
  }
}

function authorizeExecutor(execute: Executor, options: AuthorizationOptions): Executor {
  const { rules, subjects, policies, mode, challengeOf, log } = options
  const bySchema = new WeakMap<GraphQLSchema, Authorize>()
  function authorizeFor(schema: GraphQLSchema): Authorize {
    const authorize = bySchema.get(schema) ?? createAuthorize({ schema, rules, subjects, policies })
    bySchema.set(schema, authorize)
    return authorize
  }

  /** Plans are kept by `queryHash`: under that of the original, one caller's plan would be executed for another. */
  const answerRest = (context: Parameters<Executor>[0], authorization: Authorization) =>
    authorization.answer(context.request.variables ?? {}, ({ document, operation, source, key }, variables) => {
      const request = { ...context.request, query: source, variables }
      return execute({ ...context, document, operation, source, queryHash: key, request })
    })

  /** The ticket that goes along with these is authority: it is not handed out to see what would happen. */
  const starting = Object.keys(rules).filter(
    (coordinate) => rules[coordinate]?.delegates || rules[coordinate]?.approves,
  )

  return async (context) => {
    const { schema, document, operationName, queryHash: hash, request } = context
    const requestContext = context.context as unknown as RequestContext
    const { principal, txn, record, approval, subscribe } = requestContext
    const variables = request.variables ?? {}
    const decided = authorizeFor(schema)({ hash, document, operationName, variables, principal, approval })
    const authorization = decided instanceof Promise ? await decided : decided
    const run = (rest: Authorization | null) => {
      if (rest === null) return execute(context)
      // Each event is answered as an operation is: with null, and the reason, where something was taken out.
      const handOver: RequestContext['subscribe'] =
        subscribe &&
        ((planned) =>
          subscribe({
            ...planned,
            answer: (event, of) => rest.answer(variables, () => planned.answer(event, of)),
          }))
      const ofRest = handOver ? { ...context, context: { ...requestContext, subscribe: handOver } } : context
      return answerRest(ofRest, rest)
    }
    if (authorization === null) return run(null)
    const causes = new Set(authorization.denials.flatMap(({ cause }) => cause ?? []))
    for (const err of causes) log.error({ txn, err }, 'a policy could not be decided')

    const denials = authorization.asked(variables)
    if (mode === 'reject' && denials.length > 0) {
      record.denied(denials, principal)
      return rejection(denials, challengeOf)
    }
    if (mode !== 'dry-run' || starting.some(authorization.denies)) {
      record.denied(denials, principal)
      return run(authorization)
    }
    const report = reportOf(denials)
    if (denials.length > 0) log.warn({ txn, ...report }, 'would have been denied')
    const result = await run(null)
    return { ...result, extensions: { ...result.extensions, authorization: report } }
  }
}
