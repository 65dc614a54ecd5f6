import type { ApolloServerOptionsWithGateway, BaseContext } from '@apollo/server'
import type { FieldRule } from '@behalf/identity'
import type { GraphQLSchema } from 'graphql'
import type { RequestContext } from '../execute/request-context.ts'
import { type Authorize, createAuthorize } from './authorize.ts'

type GatewayInterface = ApolloServerOptionsWithGateway<BaseContext>['gateway']
type Executor = NonNullable<Awaited<ReturnType<GatewayInterface['load']>>['executor']>

/** Puts authorization before a gateway's planning and execution. Contexts must have a `principal`. */
export function authorizeGateway(
  gateway: GatewayInterface,
  rules: Readonly<Record<string, FieldRule>>,
): GatewayInterface {
  return {
    onSchemaLoadOrUpdate: (callback) => gateway.onSchemaLoadOrUpdate(callback),
    stop: () => gateway.stop(),
    async load(options) {
      const { executor } = await gateway.load(options)
      return { executor: executor && authorizeExecutor(executor, rules) }
    },
  }
}

function authorizeExecutor(execute: Executor, rules: Readonly<Record<string, FieldRule>>): Executor {
  const bySchema = new WeakMap<GraphQLSchema, Authorize>()
  function authorizeFor(schema: GraphQLSchema): Authorize {
    const authorize = bySchema.get(schema) ?? createAuthorize({ schema, rules })
    bySchema.set(schema, authorize)
    return authorize
  }

  return async (context) => {
    const { schema, document, operationName, queryHash: hash, request } = context
    const { principal, record } = context.context as Pick<RequestContext, 'principal'> & Partial<RequestContext>
    const authorization = authorizeFor(schema)({ hash, document, operationName, principal })
    if (authorization === null) return execute(context)
    record?.denied(authorization.denials)
    return authorization.answer(request.variables ?? {}, (allowed, variables) => {
      const { document: rest, operation, source, key } = allowed
      // Plans are kept by `queryHash`: under that of the original, one caller's plan would be executed for another.
      return execute({
        ...context,
        document: rest,
        operation,
        source,
        queryHash: key,
        request: { ...request, query: source, variables },
      })
    })
  }
}
