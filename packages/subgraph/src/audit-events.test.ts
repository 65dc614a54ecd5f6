import { createRefusal, RefusalError } from '@behalf/identity'
import { expect, it } from 'vitest'
import { denied } from './audit-events.ts'
import { ada, agentOf, identityOf, principal } from './fixtures.ts'

const needs = (requiredScopes?: string[][]) =>
  new RefusalError(
    createRefusal('UNAUTHORIZED_FIELD_OR_TYPE', '@rule', requiredScopes && { details: { requiredScopes } }),
    'Query.order',
  )

it('[P14] what is denied is recorded with whom it was denied, by what, and which scopes are missing', async () => {
  const identity = await identityOf(principal('usr_ada', { scopes: ['a'] }))
  expect(denied(identity, needs([['a', 'b'], ['c']]))).toStrictEqual({
    txn: identity.txn,
    parent: null,
    time: expect.any(Date),
    subject: 'usr_ada',
    tenant: 'acme',
    actor: null,
    what: 'field.denied',
    target: 'Query.order',
    rule: '@rule',
    outcome: 'UNAUTHORIZED_FIELD_OR_TYPE',
    durationMs: null,
    detail: { missing: [['b'], ['c']] },
  })
  expect(denied(identity, needs())).toMatchObject({ detail: {} })
  expect(denied(identity, needs()).detail).toStrictEqual({})
})

it('[P14] what is denied to an agent names it, and what its run belongs to', async () => {
  const acting = agentOf(ada)
  expect(denied(await identityOf(acting), needs())).toMatchObject({ actor: 'assistant', parent: null })
  const parent = '01980f6e-0000-7abc-8def-0123456789ab'
  const within = principal('usr_ada', { actor: acting.actor && { ...acting.actor, parent } })
  expect(denied(await identityOf(within), needs())).toMatchObject({ actor: 'assistant', parent })
})
