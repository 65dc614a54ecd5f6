import type { SubgraphContext } from '@behalf/subgraph'
import { testSubgraph, type TestCaller, type TestSubgraph } from '@behalf/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { resolvers } from './resolvers.ts'
import { orders } from './subgraph.ts'

const order = `query ($id: ID!) {
  order(id: $id) {
    id status placedAt total currency
    items { sku name quantity unitPrice }
    shipment { carrier trackingCode status shippedAt expectedAt deliveredAt }
  }
}`
const list = `query ($of: [_Any!]!, $first: Int, $after: String) {
  _entities(representations: $of) {
    ... on User {
      id
      orders(first: $first, after: $after) {
        edges { cursor node { id items { name } shipment { status } } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
}`
const user = (id: string) => ({ of: [{ __typename: 'User', id }] })

interface Page {
  edges: { cursor: string; node: { id: string; items: unknown[]; shipment: unknown } }[]
  pageInfo: { hasNextPage: boolean; endCursor: string | null }
}

async function page(caller: TestCaller, variables: Record<string, unknown> = {}, of = caller.subject): Promise<Page> {
  const { data, errors } = await caller.run(list, { ...user(of), ...variables })
  expect(errors).toEqual([])
  const { _entities: entities } = data as { _entities: [{ orders: Page }] }
  return entities[0].orders
}

const ids = ({ edges }: Page) => edges.map(({ node }) => node.id)
const moment = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute))

describe('orders', () => {
  let app: TestSubgraph<Database>
  const as = (name: string) => app.as(name, { scopes: ['orders:read'] })

  beforeAll(async () => {
    app = await testSubgraph<Database>(orders)
    const rowsOf = (name: string, count: number): Database['orders'][] =>
      Array.from({ length: count }, (_, index) => ({
        id: `ord_${name}${String(index).padStart(3, '0')}`,
        user_id: `usr_${name}`,
        status: index % 2 ? 'SHIPPED' : 'PLACED',
        // Three of each moment, so that only the id tells them apart.
        placed_at: moment(Math.floor(index / 3)),
        total: '1250.00',
        currency: 'EUR',
        cancellation_reason: null,
      }))
    const rows = [...rowsOf('ada', 25), ...rowsOf('ben', 3)]
    await app.admin.insertInto('orders').values(rows).execute()
    await app.admin
      .insertInto('order_items')
      .values(
        rows.flatMap(({ id }) => [
          { order_id: id, position: 2, sku: 'B-2', name: 'Cable', quantity: 1, unit_price: '0.10' },
          { order_id: id, position: 1, sku: 'A-1', name: 'Lamp', quantity: 2, unit_price: '624.95' },
        ]),
      )
      .execute()
    await app.admin
      .insertInto('shipments')
      .values(
        rows.flatMap(({ id, status }) =>
          status === 'SHIPPED'
            ? {
                order_id: id,
                carrier: 'DHL',
                tracking_code: '0123456789',
                status: 'IN_TRANSIT' as const,
                shipped_at: moment(100),
                expected_at: moment(5000),
                delivered_at: null,
              }
            : [],
        ),
      )
      .execute()
  })
  afterAll(() => app?.close())

  describe('order(id:)', () => {
    test('shows all of one of my orders, amounts and times exactly', async () => {
      expect(await as('ada').run(order, { id: 'ord_ada001' })).toMatchObject({
        errors: [],
        data: {
          order: {
            id: 'ord_ada001',
            status: 'SHIPPED',
            placedAt: '2026-01-01T00:00:00.000Z',
            total: '1250.00',
            currency: 'EUR',
            items: [
              { sku: 'A-1', name: 'Lamp', quantity: 2, unitPrice: '624.95' },
              { sku: 'B-2', name: 'Cable', quantity: 1, unitPrice: '0.10' },
            ],
            shipment: {
              carrier: 'DHL',
              trackingCode: '0123456789',
              status: 'IN_TRANSIT',
              shippedAt: '2026-01-01T01:40:00.000Z',
              expectedAt: '2026-01-04T11:20:00.000Z',
              deliveredAt: null,
            },
          },
        },
      })
      expect((await as('ada').run(order, { id: 'ord_ada000' })).data).toMatchObject({ order: { shipment: null } })
    })

    test("answers for another user's order as for one that does not exist", async () => {
      const foreign = await as('ben').run(order, { id: 'ord_ada001' })
      expect(foreign).toEqual(await as('ben').run(order, { id: 'ord_nobody' }))
      expect(foreign).toMatchObject({ data: { order: null }, errors: [] })
    })

    test('needs the scope', async () => {
      for (const caller of [app.as('ada'), app.anonymous()]) {
        const { data, errors } = await caller.run('{ order(id: "ord_ada001") { id } }')
        expect(data).toEqual({ order: null })
        expect(errors).toHaveLength(1)
      }
    })
  })

  describe('as an entity, an order', () => {
    const entity = `query ($of: [_Any!]!) { _entities(representations: $of) { ... on Order { id total items { name } } } }`
    const one = { of: [{ __typename: 'Order', id: 'ord_ada001' }] }

    test("is its owner's", async () => {
      const { data } = await as('ada').run(entity, one)
      expect(data).toMatchObject({ _entities: [{ id: 'ord_ada001', total: '1250.00' }] })
    })

    test("is not another user's, and needs the scope", async () => {
      for (const caller of [as('ben'), app.as('ada'), app.anonymous()]) {
        expect((await caller.run(entity, one)).data ?? { _entities: [null] }).toEqual({ _entities: [null] })
      }
    })
  })

  describe('User.orders', () => {
    test('pages through all of mine, newest first, each once', async () => {
      const seen: string[] = []
      let after: string | null = null
      do {
        const { edges, pageInfo } = await page(as('ada'), { first: 7, after })
        seen.push(...edges.map(({ node }) => node.id))
        after = pageInfo.hasNextPage ? pageInfo.endCursor : null
      } while (after !== null)
      const all = await app.admin
        .selectFrom('orders')
        .select('id')
        .where('user_id', '=', 'usr_ada')
        .orderBy('placed_at', 'desc')
        .orderBy('id', 'desc')
        .execute()
      expect(seen).toEqual(all.map(({ id }) => id))
    })

    test('an order that is placed meanwhile moves nothing', async () => {
      const first = await page(as('ada'), { first: 5 })
      const id = 'ord_newest'
      const placed_at = moment(9999)
      await app.admin
        .insertInto('orders')
        .values({ id, user_id: 'usr_ada', status: 'PLACED', placed_at, total: '1.00', currency: 'EUR' })
        .execute()
      const second = await page(as('ada'), { first: 5, after: first.pageInfo.endCursor })
      expect(ids(second)).toEqual(ids(await page(as('ada'), { first: 11 })).slice(6))
      await app.admin.deleteFrom('orders').where('id', '=', id).execute()
    })

    test('[P7] of another user has nothing, for support of the tenant too', async () => {
      const support = app.as('sam', { scopes: ['orders:read', 'users:read'] })
      for (const caller of [as('ben'), support]) {
        expect(await caller.run(list, user('usr_ada'))).toMatchObject({ data: { _entities: [null] }, errors: [] })
      }
      expect(ids(await page(as('ben')))).toHaveLength(3)
    })

    test("another user's cursor is a position among my own rows, no more", async () => {
      const { pageInfo } = await page(as('ada'), { first: 1 })
      const mine = await page(as('ben'), { after: pageInfo.endCursor })
      expect(ids(mine)).toEqual(['ord_ben002', 'ord_ben001', 'ord_ben000'])
    })

    test.each([{ first: 0 }, { first: 101 }, { first: -5 }, { after: 'garbage' }, { after: '' }])(
      'refuses %j',
      async (variables) => {
        const { data, errors } = await as('ada').run(list, { ...user('usr_ada'), ...variables })
        expect(data).toEqual({ _entities: [{ id: 'usr_ada', orders: null }] })
        expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
      },
    )

    test('has 20 by default, and every order has its own items and shipment', async () => {
      const { edges } = await page(as('ada'))
      expect(edges).toHaveLength(20)
      for (const { node } of edges) {
        expect(node.items).toEqual([{ name: 'Lamp' }, { name: 'Cable' }])
        expect(node.shipment).toEqual(Number(node.id.slice(-3)) % 2 ? { status: 'IN_TRANSIT' } : null)
      }
    })
  })

  test('a page of orders reads all its items in one query, and all its shipments in another', async () => {
    let queries = 0
    const db = app.admin.withPlugin({
      transformQuery({ node }) {
        queries += 1
        return node
      },
      transformResult: ({ result }) => Promise.resolve(result),
    })
    const context = { db } as unknown as SubgraphContext<Database>
    const { items, shipment } = resolvers.Order
    const found = Array.from({ length: 25 }, (_, index) => ({
      id: `ord_ada${String(index).padStart(3, '0')}`,
      userId: 'usr_ada',
    }))
    const read = found.flatMap((one) => [items(one, {}, context), shipment(one, {}, context)])
    expect(await Promise.all(read)).toHaveLength(50)
    expect(queries).toBe(2)
  })

  describe('deliveryTerms', () => {
    const terms = '{ deliveryTerms { freeFrom workingDays } }'

    test.each([
      ['premium', { freeFrom: '0.00', workingDays: 2 }],
      ['basic', { freeFrom: '50.00', workingDays: 5 }],
      ['unheard of', { freeFrom: '50.00', workingDays: 5 }],
    ])('are those of the tier that the gateway names: %s', async (tier, expected) => {
      expect((await app.as('ada', { facts: { tier } }).run(terms)).data).toEqual({ deliveryTerms: expected })
    })

    test("are nobody's without signing in", async () => {
      expect(await app.anonymous().run(terms)).toMatchObject({
        data: { deliveryTerms: null },
        errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
      })
    })
  })

  test('the database lets this app read and change nothing', async () => {
    for (const table of ['orders', 'order_items', 'shipments']) {
      const { rows } = await sql`
        select has_table_privilege('orders', ${`orders.${table}`}, 'select') as reads,
          has_table_privilege('orders', ${`orders.${table}`}, 'insert, update, delete, truncate') as writes
      `.execute(app.admin)
      expect(rows).toEqual([{ reads: true, writes: false }])
    }
  })
})
