import { AppError } from '@behalf/identity'
import { getOperationAST, parse } from 'graphql'
import { expect, it } from 'vitest'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import { refuseStaleMutations } from './refuse-stale-mutations.ts'

type Hooks = Awaited<ReturnType<NonNullable<ReturnType<typeof refuseStaleMutations>['requestDidStart']>>>
type Resolve = NonNullable<Exclude<Hooks, void>['didResolveOperation']>

const person = toPrincipal({ ...anonymous, issuer: 'https://issuer.test', subject: 'usr_ada', tenant: 'acme' })

/** Resolves once nothing was refused. */
async function ask(source: string, principal: typeof person, error: Error) {
  const requireFresh = () => {
    throw error
  }
  const plugin = refuseStaleMutations({ requireFresh, requireKnown: requireFresh, requireInForce: requireFresh })
  const hooks = await plugin.requestDidStart?.({} as never)
  const context = { operation: getOperationAST(parse(source)), contextValue: { principal } }
  await hooks?.didResolveOperation?.(context as unknown as Parameters<Resolve>[0])
}

it('[P11] a mutation of whoever is signed in is refused as the guard refuses, and nothing else is', async () => {
  const stale = new AppError('REVOCATIONS_UNKNOWN')
  await expect(ask('mutation { a }', person, stale)).rejects.toMatchObject({
    extensions: { code: 'REVOCATIONS_UNKNOWN', http: { status: 503 } },
  })
  await expect(ask('{ a }', person, stale)).resolves.toBeUndefined()
  await expect(ask('mutation { a }', anonymous, stale)).resolves.toBeUndefined()
  const broken = new Error('broken')
  await expect(ask('mutation { a }', person, broken)).rejects.toBe(broken)
})
