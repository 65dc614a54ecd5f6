import { faker } from '@faker-js/faker/locale/en'
import { createLedger, type Account, type Entry, type Payee } from './ledger.ts'
import { createOrders, type Order, type OrderItem, type Shipment } from './orders.ts'
import { createUsers, type User } from './users.ts'

/** Rows by table, named and shaped as the apps' migrations have them. */
export interface Dataset {
  readonly 'identity.users': readonly User[]
  readonly 'orders.orders': readonly Order[]
  readonly 'orders.order_items': readonly OrderItem[]
  readonly 'orders.shipments': readonly Shipment[]
  readonly 'balance.accounts': readonly Account[]
  readonly 'balance.entries': readonly Entry[]
  readonly 'balance.payees': readonly Payee[]
}

/** Makes the same data every time, on every machine: nothing in it comes from a clock or an unseeded random number. */
export function createDataset(): Dataset {
  faker.seed(20_250_101)
  const users = createUsers(faker, 500)
  const { orders, items, shipments } = createOrders(faker, users, 5000)
  const { accounts, entries, payees } = createLedger(faker, users, orders, 20_000)
  return {
    'identity.users': users,
    'orders.orders': orders,
    'orders.order_items': items,
    'orders.shipments': shipments,
    'balance.accounts': accounts,
    'balance.entries': entries,
    'balance.payees': payees,
  }
}
