import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countRoundTrips, type RoundTrips } from '../fixtures/count-round-trips.ts'
import { ada, openShop, type OpenShop, type Shop } from '../fixtures/shop.ts'
import { type BoundTransaction, type Postgres, queryTogether } from './index.ts'

let shop: OpenShop
let counted: RoundTrips
/** One connection, already made: what is counted is what the queries take. */
let db: Postgres<Shop>
beforeAll(async () => {
  shop = await openShop()
  counted = await countRoundTrips(shop.url)
  db = shop.connect({ url: counted.url, max: 1 })
  await db.ready()
})
afterAll(async () => {
  await shop[Symbol.asyncDispose]()
  await counted[Symbol.asyncDispose]()
})

/** Runs `work` as a request does. */
const bound = (mode: 'read' | 'write', work: (open: BoundTransaction<Shop>) => Promise<unknown>) => async () => {
  const open = db.bind(ada, mode)
  await work(open)
  if (mode === 'write') await open.commit()
  await open.end()
}
const entities = ({ db: orders }: BoundTransaction<Shop>) =>
  orders.selectFrom('orders').selectAll().where('id', 'in', ['o-ada', 'o-ben']).execute()

describe('[P7] a load of entities that row-level security sees to', () => {
  it('takes one round trip more than a query without: it begins, says who calls and asks in one', async () => {
    // Without a transaction, and without a caller.
    expect(await counted.during(() => db.ready())).toBe(1)
    expect(await counted.during(bound('read', entities))).toBe(2)
    expect(await counted.during(bound('write', entities))).toBe(2)
  })

  it('takes none where nothing is asked, and one for each further load', async () => {
    expect(await counted.during(bound('read', () => Promise.resolve()))).toBe(0)
    const twice = async (open: BoundTransaction<Shop>) => {
      expect(await entities(open)).toMatchObject([{ id: 'o-ada' }])
      expect(await entities(open)).toMatchObject([{ id: 'o-ada' }])
    }
    expect(await counted.during(bound('read', twice))).toBe(3)
    const together = (open: BoundTransaction<Shop>) => Promise.all([entities(open), entities(open)])
    expect(await counted.during(bound('read', together))).toBeLessThanOrEqual(3)
  })

  it('takes one for any number that are asked together, and none more for savepoints, outcomes and the commit', async () => {
    const ids = {
      name: 'ids',
      text: 'select id from orders where id = any($1) order by id',
      values: [['o-ada', 'o-ben']],
    }
    const together = async (open: BoundTransaction<Shop>) => {
      expect(await queryTogether(open.db, [ids, { text: 'select 7 as seven' }, ids])).toEqual([
        [{ id: 'o-ada' }],
        [{ seven: 7 }],
        [{ id: 'o-ada' }],
      ])
    }
    expect(await counted.during(bound('write', together))).toBe(2)
    const effect = { id: 'call_trips', request: 'r' }
    const performed = (open: BoundTransaction<Shop>) =>
      open.perform(effect, () => open.savepoint(async () => void (await entities(open))))
    expect(await counted.during(bound('write', performed))).toBe(3)
    const atOnce = async () => {
      const open = db.bind(ada, 'write')
      expect(await open.commit([ids])).toEqual([[{ id: 'o-ada' }]])
      await open.end()
    }
    expect(await counted.during(atOnce)).toBe(1)
  })

  it('shows the next user of the connection nothing of the one before, whatever became of that', async () => {
    const nobody = async () => {
      const open = db.bind({ ...ada, subject: 'usr_nobody' }, 'read')
      const rows = await entities(open)
      await open.end()
      return rows
    }
    await bound('read', entities)()
    expect(await nobody()).toEqual([])
    const fails = (open: BoundTransaction<Shop>) =>
      open.db
        .selectFrom('orders')
        .select('nowhere' as 'id')
        .execute()
        .catch(() => undefined)
    expect(await counted.during(bound('read', fails))).toBe(2)
    expect(await nobody()).toEqual([])
    expect(await counted.during(bound('read', entities))).toBe(2)
  })
})
