import { expect, it } from 'vitest'
import { ada, identityOf } from './fixtures.ts'
import { RequestContext } from './request-context.ts'
import type { RequestTransaction } from './request-transaction.ts'

it('of a subgraph without a database says so when one is asked for, and has nothing to commit', async () => {
  const verified = { identity: await identityOf(ada), request: '', jti: null, until: null, ticket: null }
  const without = new RequestContext(verified, null, () => undefined)
  expect(() => without.db).toThrow(
    expect.objectContaining({ code: 'INTERNAL', cause: 'createSubgraph was called without db' }),
  )
  await expect(without.commit()).resolves.toBeUndefined()
  const open = { db: {} } as unknown as RequestTransaction<unknown>
  expect(new RequestContext(verified, open, () => undefined).db).toBe(open.db)
})
