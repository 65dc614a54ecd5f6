import type { Faker } from '@faker-js/faker'
import { products } from './products.ts'
import { currencyOf, type User } from './users.ts'
import { createIds, day, decimal, firstDate, hour, iso, minute, minuteBetween, referenceDate } from './values.ts'

export interface Order {
  readonly id: string
  readonly user_id: string
  readonly status: 'PLACED' | 'PROCESSING' | 'SHIPPED' | 'DELIVERED' | 'CANCELLED'
  readonly placed_at: string
  readonly total: string
  readonly currency: string
}

export interface OrderItem {
  readonly order_id: string
  readonly position: number
  readonly sku: string
  readonly name: string
  readonly quantity: number
  readonly unit_price: string
}

export interface Shipment {
  readonly order_id: string
  readonly carrier: string
  readonly tracking_code: string
  readonly status: 'IN_TRANSIT' | 'OUT_FOR_DELIVERY' | 'DELIVERED'
  readonly shipped_at: string
  readonly expected_at: string
  readonly delivered_at: string | null
}

interface Plan {
  readonly user: User
  readonly placedAt: number
  readonly cancelled: boolean
  /** One to look for in the documentation; others have random ids. */
  readonly id?: string
}

/** Orders of the demo users, by how many days old they are: all statuses for each customer. */
const demoOrders: Readonly<Record<string, { readonly ages: readonly number[]; readonly cancelled: number }>> = {
  usr_ada: { ages: [0.31, 1.53, 3.17, 5.12, 12.24, 24.1, 61.4, 97.35, 160.8, 255.15, 402.6, 598.4], cancelled: 12.24 },
  usr_ben: { ages: [0.62, 2.21, 4.43, 33.2, 90.75, 214.5], cancelled: 90.75 },
  usr_chloe: { ages: [0.54, 1.92, 3.61, 15.3, 47.45, 130.2, 300.7, 511.1], cancelled: 47.45 },
  usr_sam: { ages: [120.3], cancelled: -1 },
}
/** Ada's order that examples ask for: it is on its way. */
const exampleOrder = { id: 'ord_7Kx2', user: 'usr_ada', age: 3.17 }

/** Exactly `count` orders, those of the demo users among them, oldest first. */
export function createOrders(faker: Faker, users: readonly User[], count: number) {
  const nextId = createIds(faker, 'ord', 8)
  const plans = createPlans(faker, users, count).toSorted((a, b) => a.placedAt - b.placedAt)
  const orders: Order[] = []
  const items: OrderItem[] = []
  const shipments: Shipment[] = []
  for (const plan of plans) {
    const id = plan.id ?? nextId()
    let total = 0
    for (const [index, product] of faker.helpers.arrayElements(products, { min: 1, max: 4 }).entries()) {
      const quantity = faker.helpers.arrayElement([1, 1, 1, 2, 3])
      total += quantity * product.price
      const { sku, name } = product
      items.push({ order_id: id, position: index + 1, sku, name, quantity, unit_price: decimal(product.price) })
    }
    const status = statusOf(plan)
    const { user, placedAt } = plan
    orders.push({
      id,
      user_id: user.id,
      status,
      placed_at: iso(placedAt),
      total: decimal(total),
      currency: currencyOf(user),
    })
    if (status === 'SHIPPED' || status === 'DELIVERED') shipments.push(createShipment(faker, id, plan, status))
  }
  return { orders, items, shipments }
}

function createPlans(faker: Faker, users: readonly User[], count: number): readonly Plan[] {
  const known = users.flatMap((user) => {
    const { ages, cancelled } = demoOrders[user.id] ?? { ages: [], cancelled: -1 }
    return ages.map((age): Plan => {
      const isExample = user.id === exampleOrder.user && age === exampleOrder.age
      const placedAt = Math.round((referenceDate - age * day) / minute) * minute
      return { user, placedAt, cancelled: age === cancelled, ...(isExample && { id: exampleOrder.id }) }
    })
  })
  const customers = users.filter((user) => demoOrders[user.id] === undefined)
  const others = Array.from({ length: count - known.length }, (): Plan => ({
    user: faker.helpers.arrayElement(customers),
    placedAt: minuteBetween(faker, firstDate + 7 * day, referenceDate),
    cancelled: faker.number.int(99) < 7,
  }))
  return [...known, ...others]
}

/** Orders are packed after a day, shipped after two and a half, and have arrived after ten. */
function statusOf({ placedAt, cancelled }: Plan): Order['status'] {
  const age = referenceDate - placedAt
  if (cancelled) return 'CANCELLED'
  if (age < day) return 'PLACED'
  if (age < 2.5 * day) return 'PROCESSING'
  return age < 10 * day ? 'SHIPPED' : 'DELIVERED'
}

function createShipment(faker: Faker, id: string, { user, placedAt }: Plan, status: 'SHIPPED' | 'DELIVERED'): Shipment {
  const shippedAt = placedAt + faker.number.int({ min: 12, max: 40 }) * hour
  const expectedAt = addWorkingDays(shippedAt, user.tier === 'premium' ? 2 : 5)
  const deliveredAt = status === 'DELIVERED' ? expectedAt - faker.number.int({ min: 0, max: 9 }) * hour : null
  return {
    order_id: id,
    carrier: faker.helpers.arrayElement(['DHL', 'DPD', 'GLS', 'UPS']),
    tracking_code: faker.string.numeric(14),
    status:
      deliveredAt !== null ? 'DELIVERED' : expectedAt <= referenceDate + 12 * hour ? 'OUT_FOR_DELIVERY' : 'IN_TRANSIT',
    shipped_at: iso(shippedAt),
    expected_at: iso(expectedAt),
    delivered_at: deliveredAt === null ? null : iso(deliveredAt),
  }
}

/** 18:00 UTC of the working day that comes `days` working days after `from`. */
function addWorkingDays(from: number, days: number): number {
  let date = Math.floor(from / day) * day
  for (let left = days; left > 0;) {
    date += day
    const weekday = new Date(date).getUTCDay()
    if (weekday !== 0 && weekday !== 6) left -= 1
  }
  return date + 18 * hour
}
