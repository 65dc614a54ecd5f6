import { attackSubgraph } from '@behalf/testing'
import type { Database } from './database.ts'
import { orders } from './subgraph.ts'

attackSubgraph<Database>(orders, {
  mine: 'ada',
  theirs: 'ben',
  async prepare({ admin }, { name, subject }) {
    const id = `ord_${name}1`
    await admin
      .insertInto('orders')
      .values({
        id,
        user_id: subject,
        status: 'PLACED',
        placed_at: new Date(Date.UTC(2026, 0, 1)),
        total: '1250.00',
        currency: 'EUR',
      })
      .execute()
    await admin
      .insertInto('order_items')
      .values({ order_id: id, position: 1, sku: `sku of ${name}`, name: 'Lamp', quantity: 1, unit_price: '1250.00' })
      .execute()
  },
})
