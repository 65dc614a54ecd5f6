import { AppError } from '@behalf/identity'
import { buildSchema, getOperationAST, parse } from 'graphql'
import { expect, it } from 'vitest'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import type { RequestContext } from '../execute/request-context.ts'
import { refuseStaleMutations } from './refuse-stale-mutations.ts'

const person = toPrincipal({ ...anonymous, issuer: 'https://issuer.test', subject: 'usr_ada', tenant: 'acme' })

const schema = buildSchema('type Query { a: Int } type Mutation { a: Int }')

function ask(source: string, principal: typeof person, error: Error) {
  const requireFresh = () => {
    throw error
  }
  const check = refuseStaleMutations({ requireFresh, requireKnown: requireFresh, requireInForce: requireFresh })
  const document = parse(source)
  const operation = getOperationAST(document)
  if (!operation) throw new TypeError('no operation')
  return check({ schema, document, operation, variables: {}, contextValue: { principal } as RequestContext })
}

it('[P11] a mutation of whoever is signed in is refused as the guard refuses, and nothing else is', () => {
  const stale = new AppError('REVOCATIONS_UNKNOWN')
  expect(() => ask('mutation { a }', person, stale)).toThrow(
    expect.objectContaining({
      extensions: expect.objectContaining({
        code: 'REVOCATIONS_UNKNOWN',
        http: expect.objectContaining({ status: 503 }),
      }),
    }),
  )
  expect(() => ask('{ a }', person, stale)).not.toThrow()
  expect(() => ask('mutation { a }', anonymous, stale)).not.toThrow()
  const broken = new Error('broken')
  expect(() => ask('mutation { a }', person, broken)).toThrow(broken)
})
