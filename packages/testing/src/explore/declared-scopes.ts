import type { GraphQLSchema } from 'graphql'
import { objectTypes, ownershipOf, rulesOf } from './declared-rules.ts'
import { subjectsOf } from './fill-arguments.ts'

/** The scopes that a schema knows: `plain` are those that let nobody see others' objects, or name others. */
export function declaredScopes(schema: GraphQLSchema): { readonly all: string[]; readonly plain: string[] } {
  const types = objectTypes(schema)
  const fields = types.flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
  const asked = fields.flatMap(({ type, field }) => rulesOf(schema, type, field).flatMap(({ scopes }) => scopes.flat()))
  const unless = [
    ...fields.flatMap(({ field }) => subjectsOf(field).flatMap((place) => place.unless.flat())),
    ...types.map(ownershipOf).flatMap((ownership) => (ownership?.kind === 'owner' ? ownership.unless.flat() : [])),
  ]
  const all = [...new Set([...asked, ...unless])]
  return { all, plain: all.filter((scope) => !unless.includes(scope)) }
}
