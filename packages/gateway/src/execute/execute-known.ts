import type { ApolloServerOptionsWithGateway, BaseContext } from '@apollo/server'
import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import type { CheckOperation } from './check-operation.ts'
import type { RequestContext } from './request-context.ts'

type Gateway = ApolloServerOptionsWithGateway<BaseContext>['gateway']
type Executor = NonNullable<Awaited<ReturnType<Gateway['load']>>['executor']>
type Result = Awaited<ReturnType<Executor>>

/**
 * What became of an operation before Apollo Server was told of it: it answers as if that had happened while it executed, and
 * nothing happens twice.
 */
export type Outcome =
  | { readonly refusal: unknown }
  | { readonly failure: unknown }
  /** Its errors, if it has any, are not masked. */
  | { readonly result: Result }

/** The context of a request to Apollo Server. */
export interface ServerContext extends RequestContext {
  readonly outcome?: Outcome
}

/** An operation of a document that validated. */
export interface KnownOperation {
  readonly schema: GraphQLSchema
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly source: string
  readonly queryHash: string
}

/** Takes the steps that are left for a known operation: it is checked, authorized and executed. */
export type ExecuteKnown = (
  known: KnownOperation,
  variables: Readonly<Record<string, unknown>>,
  context: RequestContext,
) => Promise<Outcome>

/** The same two steps for Apollo Server, which takes neither where there is an outcome already. */
export interface Steps {
  readonly check: CheckOperation
  readonly gateway: Gateway
  readonly executeKnown: ExecuteKnown
}

/** @param checks - in this order; after one that refuses, none is asked. */
export function createSteps(gateway: Gateway, checks: readonly CheckOperation[]): Steps {
  let execute: Executor = () => Promise.reject(new TypeError('The graph was not loaded.'))

  /** A turn is waited for only where there is something to wait for. */
  function check(resolved: Parameters<CheckOperation>[0], from = 0): Promise<void> | void {
    for (let index = from; index < checks.length; index++) {
      const checked = checks[index]?.(resolved)
      if (checked) return checked.then(() => check(resolved, index + 1))
    }
    return undefined
  }

  return {
    async check(resolved) {
      const { outcome }: ServerContext = resolved.contextValue
      if (outcome === undefined) return check(resolved)
      if ('refusal' in outcome) throw outcome.refusal
      return undefined
    },
    gateway: {
      onSchemaLoadOrUpdate: (callback) => gateway.onSchemaLoadOrUpdate(callback),
      stop: () => gateway.stop(),
      async load(loading) {
        const { executor } = await gateway.load(loading)
        if (executor) execute = executor
        return {
          executor: async (context) => {
            const { outcome } = context.context as unknown as ServerContext
            if (outcome === undefined) return execute(context)
            if ('result' in outcome) return outcome.result
            throw 'failure' in outcome ? outcome.failure : outcome.refusal
          },
        }
      },
    },
    async executeKnown({ schema, document, operation, source, queryHash }, variables, context) {
      try {
        const checking = check({ schema, document, operation, variables, contextValue: context })
        if (checking) await checking
      } catch (refusal) {
        return { refusal }
      }
      try {
        // Of what Apollo Server has there, all that our own executors read.
        const asked = {
          schema,
          document,
          operation,
          operationName: operation.name?.value ?? null,
          source,
          queryHash,
          request: { variables },
          context,
        }
        return { result: await execute(asked as unknown as Parameters<Executor>[0]) }
      } catch (failure) {
        return { failure }
      }
    },
  }
}
