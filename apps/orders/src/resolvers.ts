import {
  defineLoader,
  manyByKey,
  oneByKey,
  readConnection,
  scalars,
  type Page,
  type SubgraphContext,
} from '@behalf/subgraph'
import { cancelOrder } from './cancel-order.ts'
import type { Database } from './database.ts'
import { deliveryTerms } from './delivery-terms.ts'
import type { Resolvers } from './generated/schema.ts'

type Context = SubgraphContext<Database>

const orderColumns = ['id', 'user_id as userId', 'status', 'placed_at as placedAt', 'total', 'currency'] as const

const orders = defineLoader(async (ids: readonly string[], { db }: Context) => {
  const rows = await db.selectFrom('orders').select(orderColumns).where('id', 'in', ids).execute()
  return oneByKey(ids, rows, ({ id }) => id)
})

const items = defineLoader(async (orderIds: readonly string[], { db }: Context) => {
  const rows = await db
    .selectFrom('order_items')
    .select(['order_id', 'sku', 'name', 'quantity', 'unit_price as unitPrice'])
    .where('order_id', 'in', orderIds)
    .orderBy('order_id')
    .orderBy('position')
    .execute()
  return manyByKey(orderIds, rows, (item) => item.order_id)
})

const shipments = defineLoader(async (orderIds: readonly string[], { db }: Context) => {
  const rows = await db
    .selectFrom('shipments')
    .select([
      'order_id',
      'carrier',
      'tracking_code as trackingCode',
      'status',
      'shipped_at as shippedAt',
      'expected_at as expectedAt',
      'delivered_at as deliveredAt',
    ])
    .where('order_id', 'in', orderIds)
    .execute()
  return oneByKey(orderIds, rows, (shipment) => shipment.order_id)
})

/** One page of a user's orders, newest first. Whose they are, not who may see them: that row-level security says. */
function ordersOf(db: Context['db'], userId: string, { limit, position }: Page) {
  let query = db.selectFrom('orders').select(orderColumns).where('user_id', '=', userId)
  if (position) {
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('placed_at', 'id'), '<', tuple(position.at, position.id)),
    )
  }
  return query.orderBy('placed_at', 'desc').orderBy('id', 'desc').limit(limit).execute()
}

export const resolvers = {
  ...scalars,
  Query: {
    order: (_root, { id }, context) => orders(context).load(id),
    deliveryTerms: (_root, _arguments, { identity }) => deliveryTerms(identity.facts['tier']),
  },
  Mutation: {
    cancelOrder: (_root, given, context) => cancelOrder(given, context),
  },
  User: {
    __resolveReference: ({ id }) => ({ id }),
    orders: (user, page, { db }) =>
      readConnection(
        page,
        (wanted) => ordersOf(db, user.id, wanted),
        (order) => ({ at: order.placedAt, id: order.id }),
      ),
  },
  Order: {
    __resolveReference: ({ id }, context) => orders(context).load(id),
    items: (order, _arguments, context) => items(context).load(order.id),
    shipment: (order, _arguments, context) => shipments(context).load(order.id),
  },
} satisfies Resolvers
