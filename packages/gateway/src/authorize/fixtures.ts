import type { FieldRule, Graph, Policies, Principal } from '@behalf/identity'
import { createHash } from 'node:crypto'
import { buildSchema, execute, type ExecutionResult, type GraphQLSchema, parse, validate } from 'graphql'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import { rule } from '../fixtures/rule.ts'
import type { Authorization } from './authorization.ts'
import { createAuthorize } from './authorize.ts'

export const needs = (...scopes: string[]): FieldRule => rule({ scopes: [scopes] })

export const nobody: Principal = anonymous
export const person = (...scopes: string[]): Principal =>
  toPrincipal({ ...anonymous, subject: 'usr_ada', tenant: 'acme', scopes })
export const agent = (...scopes: string[]): Principal =>
  toPrincipal({
    ...person(...scopes),
    actor: { agent: 'assistant', delegation: null, run: null, tool: null, call: null, parent: null },
  })

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A graph of one schema. */
export function graphOf(
  typeDefs: string,
  rules: Record<string, FieldRule>,
  rootValue: Record<string, unknown>,
  more: { readonly subjects?: Graph['subjects']; readonly policies?: Policies } = {},
) {
  const schema: GraphQLSchema = buildSchema(typeDefs)
  const authorize = createAuthorize({ schema, rules, ...more })

  return {
    schema,
    async authorize(
      principal: Principal,
      query: string,
      operationName: string | null = null,
      variables: Record<string, unknown> = {},
    ): Promise<Authorization | null> {
      const document = parse(query)
      const problems = validate(schema, document)
      if (problems.length > 0) throw problems[0]
      return authorize({ hash: hashOf(query), document, operationName, variables, principal })
    },
    /** What is executed, which must validate, and the answer. */
    async ask(
      principal: Principal,
      query: string,
      {
        variables = {},
        operationName = null,
      }: { variables?: Record<string, unknown>; operationName?: string | null } = {},
    ): Promise<{ executed: string | null; data: unknown; errors: string[] }> {
      let executed: string | null = null
      const run = async (source: string, values: Record<string, unknown>): Promise<ExecutionResult> => {
        executed = source.replaceAll(/\s+/g, ' ')
        const document = parse(source)
        const problems = validate(schema, document)
        if (problems.length > 0) throw problems[0]
        return execute({ schema, document, rootValue, variableValues: values, operationName })
      }
      const authorization = await this.authorize(principal, query, operationName, variables)
      const result =
        authorization === null
          ? await run(query, variables)
          : await authorization.answer(variables, ({ source }, values) => run(source, values))
      return {
        executed,
        data: result.data === undefined ? undefined : (JSON.parse(JSON.stringify(result.data)) as unknown),
        errors: (result.errors ?? []).map(
          ({ path, extensions, message }) => `${path?.join('.')} ${String(extensions['code'] ?? message)}`,
        ),
      }
    },
  }
}
