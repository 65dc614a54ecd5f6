import { attackSubgraph } from '@behalf/testing'
import type { Database } from './database.ts'
import { orders } from './subgraph.ts'

attackSubgraph<Database>({
  name: 'orders',
  create: orders,
  migrations: new URL('../migrations', import.meta.url),
  mine: 'ada',
  theirs: 'ben',
  claims: { scopes: ['orders:read'] },
  prepare: ({ admin }) =>
    admin
      .insertInto('orders')
      .values({
        id: 'ord_ada1',
        user_id: 'usr_ada',
        status: 'PLACED',
        placed_at: new Date(Date.UTC(2026, 0, 1)),
        total: '1250.00',
        currency: 'EUR',
      })
      .execute(),
  query: {
    query: `{
      order(id: "ord_ada1") { total }
      _entities(representations: [{ __typename: "User", id: "usr_ada" }, { __typename: "Order", id: "ord_ada1" }]) {
        ... on User { orders { edges { node { total } } } }
        ... on Order { total }
      }
    }`,
    shows: '1250.00',
  },
})
