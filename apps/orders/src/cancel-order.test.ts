import { testSubgraph, type TestSubgraph } from '@behalf/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { orders } from './subgraph.ts'

const cancel = 'mutation ($id: ID!, $reason: String) { cancelOrder(orderId: $id, reason: $reason) { id status } }'

describe('cancelOrder', () => {
  let app: TestSubgraph<Database>
  beforeAll(async () => {
    app = await testSubgraph<Database>(orders)
  })
  beforeEach(async () => {
    await app.admin.deleteFrom('orders').execute()
    await app.admin
      .insertInto('orders')
      .values(
        (['PLACED', 'PROCESSING', 'SHIPPED', 'DELIVERED', 'CANCELLED'] as const).flatMap((status) =>
          ['ada', 'ben'].map((name) => ({
            id: `ord_${name}${status}`,
            user_id: `usr_${name}`,
            status,
            placed_at: new Date(Date.UTC(2026, 0, 1)),
            total: '10.00',
            currency: 'EUR',
          })),
        ),
      )
      .execute()
  })
  afterAll(() => app?.close())

  const ada = (scopes = ['orders:read', 'orders:write']) => app.as('ada', { scopes })
  const inDatabase = (id: string) =>
    app.admin.selectFrom('orders').select(['status', 'cancellation_reason']).where('id', '=', id).executeTakeFirst()

  test.each(['PLACED', 'PROCESSING'])('calls off an order that is %s, and keeps why', async (status) => {
    expect(await ada().run(cancel, { id: `ord_ada${status}`, reason: ' a mistake ' })).toEqual({
      status: 200,
      data: { cancelOrder: { id: `ord_ada${status}`, status: 'CANCELLED' } },
      errors: [],
    })
    expect(await inDatabase(`ord_ada${status}`)).toEqual({ status: 'CANCELLED', cancellation_reason: 'a mistake' })
  })

  test.each(['SHIPPED', 'DELIVERED', 'CANCELLED'])('says so of one that is %s', async (status) => {
    expect(await ada().run(cancel, { id: `ord_ada${status}` })).toMatchObject({
      data: { cancelOrder: null },
      errors: [{ path: ['cancelOrder'], extensions: { code: 'ORDER_NOT_CANCELLABLE' } }],
    })
    expect(await inDatabase(`ord_ada${status}`)).toEqual({ status, cancellation_reason: null })
  })

  test('[P7] of somebody else does nothing: it is as if there were none', async () => {
    const nobodys = { status: 200, data: { cancelOrder: null }, errors: [] }
    expect(await ada().run(cancel, { id: 'ord_benPLACED' })).toEqual(nobodys)
    expect(await ada().run(cancel, { id: 'ord_none' })).toEqual(nobodys)
    expect(await inDatabase('ord_benPLACED')).toMatchObject({ status: 'PLACED' })
  })

  test('[P6] needs the scope for it', async () => {
    expect(await ada(['orders:read']).run(cancel, { id: 'ord_adaPLACED' })).toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
    })
    expect(await inDatabase('ord_adaPLACED')).toMatchObject({ status: 'PLACED' })
  })

  test('[P9] of an agent takes the approval of this field', async () => {
    const agent = ada().agent({ tool: 'cancel_order' })
    for (const caller of [agent, agent.approved('transfer')])
      expect(await caller.run(cancel, { id: 'ord_adaPLACED' })).toMatchObject({
        errors: [{ extensions: { code: 'APPROVAL_REQUIRED' } }],
      })
    expect(await inDatabase('ord_adaPLACED')).toMatchObject({ status: 'PLACED' })
    expect((await agent.approved('cancelOrder').run(cancel, { id: 'ord_adaPLACED' })).errors).toEqual([])
    expect(await inDatabase('ord_adaPLACED')).toMatchObject({ status: 'CANCELLED' })
  })

  test('refuses a reason that is too long', async () => {
    const run = (length: number) => ada().run(cancel, { id: 'ord_adaPLACED', reason: 'x'.repeat(length) })
    expect((await run(201)).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
    expect((await run(200)).errors).toEqual([])
  })
})
