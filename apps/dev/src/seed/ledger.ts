import type { Faker } from '@faker-js/faker'
import type { Order } from './orders.ts'
import { currencyOf, type User } from './users.ts'
import { createIds, day, decimal, firstDate, iso, minuteBetween, referenceDate } from './values.ts'

export interface Account {
  readonly id: string
  readonly user_id: string
  readonly currency: string
  readonly balance: string
}

export interface Entry {
  readonly id: string
  readonly account_id: string
  readonly amount: string
  readonly balance_after: string
  readonly kind: 'DEPOSIT' | 'WITHDRAWAL' | 'PAYMENT' | 'REFUND' | 'TRANSFER'
  readonly description: string
  readonly counterparty: string | null
  readonly transfer: string | null
  readonly booked_at: string
}

export interface Payee {
  readonly id: string
  readonly user_id: string
  readonly name: string
  readonly account_id: string
}

/** An entry before what the account held is known. */
interface Booking extends Pick<Entry, 'id' | 'kind' | 'description' | 'counterparty' | 'transfer'> {
  readonly cents: number
  readonly bookedAt: number
}

interface Holder {
  readonly user: User
  readonly account: string
  readonly bookings: Booking[]
  readonly payees: Holder[]
}

/** An account for each user, and exactly `count` entries: every order is paid, transfers have both their sides. */
export function createLedger(faker: Faker, users: readonly User[], orders: readonly Order[], count: number) {
  const nextAccount = createIds(faker, 'acc', 8)
  const nextEntry = createIds(faker, 'ent', 10)
  const holders = users.map((user): Holder => ({ user, account: nextAccount(), bookings: [], payees: [] }))
  const payees = createPayees(faker, holders)

  const book = (holder: Holder, booking: Omit<Booking, 'id'>) => holder.bookings.push({ id: nextEntry(), ...booking })
  bookOrders(holders, orders, book)
  // Each account's first deposit is still to come.
  const booked = holders.reduce((sum, { bookings }) => sum + bookings.length, holders.length)
  bookEverydayLife(faker, holders, count - booked, book)

  const accounts: Account[] = []
  const entries: Entry[] = []
  for (const holder of holders) {
    book(holder, firstDeposit(faker, holder))
    const { rows, balance } = runningBalance(holder)
    entries.push(...rows)
    const { user, account } = holder
    accounts.push({ id: account, user_id: user.id, currency: currencyOf(user), balance: decimal(balance) })
  }
  return { accounts, entries, payees }
}

type Book = (holder: Holder, booking: Omit<Booking, 'id'>) => void

/** Two to four others of the same tenant for everyone; Ada and Ben know each other. */
function createPayees(faker: Faker, holders: readonly Holder[]): readonly Payee[] {
  const nextId = createIds(faker, 'pay', 8)
  const byTenant = Map.groupBy(holders, ({ user }) => user.tenant)
  const bySubject = new Map(holders.map((holder) => [holder.user.id, holder]))
  const acquainted: Readonly<Record<string, string>> = { usr_ada: 'usr_ben', usr_ben: 'usr_ada' }
  return holders.flatMap((holder) => {
    const known = bySubject.get(acquainted[holder.user.id] ?? '')
    const others = faker.helpers
      .arrayElements(byTenant.get(holder.user.tenant) ?? [], { min: 3, max: 5 })
      .filter((other) => other !== holder && other !== known)
    holder.payees.push(...(known ? [known] : []), ...others.slice(0, known ? 3 : 4))
    return holder.payees.map(({ user, account }): Payee => ({
      id: nextId(),
      user_id: holder.user.id,
      name: user.name,
      account_id: account,
    }))
  })
}

function bookOrders(holders: readonly Holder[], orders: readonly Order[], book: Book): void {
  const bySubject = new Map(holders.map((holder) => [holder.user.id, holder]))
  for (const { id, user_id, status, placed_at, total } of orders) {
    const holder = bySubject.get(user_id)
    if (!holder) throw new Error(`Order ${id} belongs to nobody.`)
    const cents = Number(total.replace('.', ''))
    const counterparty = holder.user.tenant === 'acme' ? 'Acme Shop' : 'Globex Store'
    const bookedAt = Date.parse(placed_at)
    const common = { counterparty, transfer: null }
    book(holder, { ...common, kind: 'PAYMENT', cents: -cents, description: `Order ${id}`, bookedAt })
    if (status === 'CANCELLED') {
      const refundedAt = Math.min(bookedAt + 2 * day, referenceDate)
      book(holder, { ...common, kind: 'REFUND', cents, description: `Cancelled order ${id}`, bookedAt: refundedAt })
    }
  }
}

/** `count` entries more: transfers (two entries each), money put in and taken out, in turn for everyone. */
function bookEverydayLife(faker: Faker, holders: readonly Holder[], count: number, book: Book): void {
  const nextTransfer = createIds(faker, 'trf', 8)
  for (let left = count, turn = 0; left > 0; turn += 1) {
    const holder = holders[turn % holders.length]
    if (!holder) throw new Error('There is nobody to book for.')
    const bookedAt = minuteBetween(faker, firstDate + 2 * day, referenceDate)
    const cents = faker.number.int({ min: 5, max: 250 }) * 100
    const other = faker.helpers.arrayElement(holder.payees)
    const chance = faker.number.int(99)
    if (chance < 35 && left > 1) {
      const description = faker.helpers.arrayElement(['Rent', 'Dinner', 'Tickets', 'Birthday present', 'Thank you'])
      const common = { kind: 'TRANSFER', description, transfer: nextTransfer(), bookedAt } as const
      book(holder, { ...common, cents: -cents, counterparty: other.user.name })
      book(other, { ...common, cents, counterparty: holder.user.name })
      left -= 2
    } else {
      const isDeposit = chance < 75
      const kind = isDeposit ? 'DEPOSIT' : 'WITHDRAWAL'
      const description = isDeposit ? 'Top-up by card' : 'Cash'
      book(holder, {
        kind,
        cents: isDeposit ? cents : -cents,
        description,
        counterparty: null,
        transfer: null,
        bookedAt,
      })
      left -= 1
    }
  }
}

/** As much as the account needs never to be overdrawn, and something to spare. */
function firstDeposit(faker: Faker, { bookings }: Holder): Omit<Booking, 'id'> {
  let balance = 0
  let lowest = 0
  for (const { cents } of inOrder(bookings)) {
    balance += cents
    lowest = Math.min(lowest, balance)
  }
  return {
    kind: 'DEPOSIT',
    cents: -lowest + faker.number.int({ min: 5000, max: 90_000 }),
    description: 'First deposit',
    counterparty: null,
    transfer: null,
    bookedAt: firstDate,
  }
}

function runningBalance({ account, bookings }: Holder): { readonly rows: readonly Entry[]; readonly balance: number } {
  let balance = 0
  const rows = inOrder(bookings).map(({ cents, bookedAt, ...rest }): Entry => {
    balance += cents
    return {
      ...rest,
      account_id: account,
      amount: decimal(cents),
      balance_after: decimal(balance),
      booked_at: iso(bookedAt),
    }
  })
  return { rows, balance }
}

/** The order in which the graph lists them, oldest first: `balance_after` runs along it. */
function inOrder(bookings: readonly Booking[]): readonly Booking[] {
  return bookings.toSorted((a, b) => a.bookedAt - b.bookedAt || (a.id < b.id ? -1 : 1))
}
