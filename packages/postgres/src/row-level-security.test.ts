import { anonymousSubject, type Identity } from '@behalf/identity'
import type { Kysely } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ada, ben, caller, openShop, type OpenShop, type Shop } from '../fixtures/shop.ts'
import { storedCaller, type StoredCaller } from './index.ts'

let shop: OpenShop
beforeAll(async () => void (shop = await openShop()))
afterAll(() => shop[Symbol.asyncDispose]())

async function as<R>(
  who: Identity | StoredCaller,
  mode: 'read' | 'write',
  work: (db: Kysely<Shop>) => Promise<R>,
): Promise<R> {
  const bound = shop.db.bind(who, mode)
  try {
    return await work(bound.db)
  } finally {
    await bound.rollback()
  }
}

const tables = ['notes', 'orders', 'order_items', 'item_events'] as const
const seen = (who: Identity | StoredCaller, table: (typeof tables)[number]) =>
  as(who, 'read', async (db) => (await db.selectFrom(table).select('id').orderBy('id').execute()).map((row) => row.id))

describe('a query without any condition', () => {
  it.each(tables)("returns the caller's rows of %s only", async (table) => {
    const all = (await shop.admin.query(`select id from ${table}`)).rowCount
    expect(all).toBeGreaterThan(1)
    expect(await seen(ada, table)).toEqual([expect.stringContaining('ada')])
    expect(await seen(ben, table)).toEqual([expect.stringContaining('ben')])
    expect(await seen(storedCaller({ subject: 'usr_ada', tenant: 'acme' }), table)).toEqual([
      expect.stringContaining('ada'),
    ])
  })

  it.each(tables)(
    'returns nothing of %s to callers without a name, and to a connection that was told of none',
    async (table) => {
      expect(await seen(caller(anonymousSubject), table)).toEqual([])
      expect(await seen(caller(anonymousSubject, { agent: 'x', scopes: ['orders:read-all'] }), table)).toEqual([])
      expect(await seen(caller(''), table)).toEqual([])
      expect(await seen(caller('usr_nobody'), table)).toEqual([])
    },
  )

  it('returns nothing of a row whose tenant is another, whoever its owner is', async () => {
    expect(await seen(caller('usr_ada', { tenant: 'globex' }), 'orders')).toEqual([])
    expect(await seen(caller('usr_ada', { tenant: 'globex' }), 'order_items')).toEqual([])
    expect(await seen(caller('usr_zoe', { tenant: 'globex' }), 'orders')).toEqual(['o-zoe'])
  })

  it('returns what belongs to nobody to everyone', async () => {
    for (const who of [ada, caller(anonymousSubject)]) {
      expect(await as(who, 'read', (db) => db.selectFrom('products').selectAll().execute())).toEqual([{ id: 'tea' }])
    }
  })
})

describe('the owner of a table who is not a superuser', () => {
  it('is held to its policies too', async () => {
    await shop.admin.query('create role tenant_owner; grant usage on schema shop, behalf to tenant_owner')
    try {
      await shop.admin.query(
        'grant execute on function behalf.sub() to tenant_owner; alter table notes owner to tenant_owner',
      )
      await shop.admin.query('set role tenant_owner')
      expect((await shop.admin.query('select * from notes')).rows).toEqual([])
      await shop.admin.query('reset role; alter table notes no force row level security; set role tenant_owner')
      expect((await shop.admin.query('select * from notes')).rows).toHaveLength(2)
    } finally {
      await shop.admin.query(
        'reset role; alter table notes owner to current_user; alter table notes force row level security',
      )
      await shop.admin.query('drop owned by tenant_owner; drop role tenant_owner')
    }
  })
})

describe('unless', () => {
  const support = { scopes: ['x', 'orders:read-all'] }
  it('shows a human with the scope the rows of their tenant, and what these own', async () => {
    expect(await seen(caller('usr_sam', support), 'orders')).toEqual(['o-ada', 'o-ben'])
    expect(await seen(caller('usr_sam', support), 'order_items')).toEqual(['o-ada/1', 'o-ben/1'])
    expect(await seen(caller('usr_sam', support), 'item_events')).toEqual(['e-ada', 'e-ben'])
  })

  it.each([
    ['an agent', caller('usr_sam', { ...support, agent: 'assistant' })],
    ['a human without the scope', caller('usr_sam', { scopes: ['orders:read-all-of-mine', 'orders'] })],
    ['a worker that resumes stored work', storedCaller({ subject: 'usr_sam', tenant: 'acme' })],
    ['a caller without a name', caller('', support)],
  ])('shows %s nothing', async (_who, who) => {
    expect(await seen(who, 'orders')).toEqual([])
    expect(await seen(who, 'order_items')).toEqual([])
  })

  it('shows nothing of another tenant', async () => {
    expect(await seen(caller('usr_sam', { ...support, tenant: 'globex' }), 'orders')).toEqual(['o-zoe'])
  })

  it('lets nobody change what they may only see', async () => {
    await as(caller('usr_sam', support), 'write', async (db) => {
      expect((await db.updateTable('orders').set({ total: '1' }).executeTakeFirst()).numUpdatedRows).toBe(0n)
      expect((await db.deleteFrom('item_events').executeTakeFirst()).numDeletedRows).toBe(0n)
      expect((await db.updateTable('order_items').set({ position: 2 }).executeTakeFirst()).numUpdatedRows).toBe(0n)
      await expect(
        db.insertInto('order_items').values({ order_id: 'o-ada', position: 2 }).execute(),
      ).rejects.toMatchObject({ code: '42501' })
    })
  })
})

describe('writing', () => {
  it("reaches the caller's rows", async () => {
    await as(ada, 'write', async (db) => {
      expect((await db.updateTable('notes').set({ body: 'mine' }).executeTakeFirst()).numUpdatedRows).toBe(1n)
      await db.insertInto('order_items').values({ order_id: 'o-ada', position: 2 }).execute()
      await db.insertInto('item_events').values({ id: 'e-new', item_id: 'o-ada/2' }).execute()
      expect((await db.deleteFrom('item_events').executeTakeFirst()).numDeletedRows).toBe(2n)
      expect((await db.deleteFrom('notes').executeTakeFirst()).numDeletedRows).toBe(1n)
    })
  })

  it.each<[string, (db: Kysely<Shop>) => Promise<unknown>]>([
    ['a row for someone else', (db) => db.insertInto('notes').values({ id: 'x', user_id: 'usr_ben' }).execute()],
    [
      'one for oneself in another tenant',
      (db) => db.insertInto('orders').values({ id: 'x', user_id: 'usr_ada', tenant: 'globex' }).execute(),
    ],
    [
      "a part of what is someone else's",
      (db) => db.insertInto('order_items').values({ order_id: 'o-ben', position: 2 }).execute(),
    ],
    ['a part of a part of it', (db) => db.insertInto('item_events').values({ id: 'x', item_id: 'o-ben/1' }).execute()],
    ['what belongs to nobody', (db) => db.insertInto('products').values({ id: 'x' }).execute()],
    ["one's own row given away", (db) => db.updateTable('notes').set({ user_id: 'usr_ben' }).execute()],
    [
      "one's own part moved to someone else's",
      (db) => db.updateTable('order_items').set({ order_id: 'o-ben', position: 9 }).execute(),
    ],
    [
      "someone else's row taken by upsert",
      (db) =>
        db
          .insertInto('notes')
          .values({ id: 'n-ben', user_id: 'usr_ada' })
          .onConflict((oc) => oc.column('id').doUpdateSet({ user_id: 'usr_ada' }))
          .execute(),
    ],
  ])('refuses %s', async (_what, write) => {
    await expect(as(ada, 'write', write)).rejects.toMatchObject({
      code: '42501',
      message: expect.stringContaining('row-level security'),
    })
  })

  it('finds nothing of others to change or delete', async () => {
    await as(ben, 'write', async (db) => {
      expect(
        (await db.updateTable('notes').set({ body: '' }).where('id', '=', 'n-ada').executeTakeFirst()).numUpdatedRows,
      ).toBe(0n)
      expect((await db.deleteFrom('notes').where('id', '=', 'n-ada').executeTakeFirst()).numDeletedRows).toBe(0n)
      expect((await db.deleteFrom('products').executeTakeFirst()).numDeletedRows).toBe(0n)
    })
  })

  it('is refused where the transaction is for reading', async () => {
    const write = (db: Kysely<Shop>) => db.updateTable('notes').set({ body: 'x' }).execute()
    await expect(as(ada, 'read', write)).rejects.toMatchObject({ code: '25006' })
    await expect(as(ada, 'write', write)).resolves.toBeDefined()
  })
})

describe('the library in a migration', () => {
  it.each([
    [`select behalf.own('notes', 'owner')`, 'has no column "owner"'],
    [`select behalf.own('order_items', 'position')`, 'is of type smallint'],
    [`select behalf.own('orders', 'user_id', unless => 'a')`, 'so name the tenant'],
    [`select behalf.own('orders', 'user_id', tenant => 'tenant', unless => 'a b')`, 'is not one scope'],
    [`select behalf.owned('item_events', through => 'item_id', parent => 'products')`, 'has no owner'],
    [
      `select behalf.owned('order_items', through => 'order_id', parent => 'notes')`,
      'is no foreign key to shop.notes (id)',
    ],
  ])('names the fault of: %s', async (statement, message) => {
    await shop.admin.query('begin')
    await expect(shop.admin.query(statement)).rejects.toThrow(message)
    await shop.admin.query('rollback')
  })

  it('may be called again with something else, and leaves nothing of before', async () => {
    await shop.admin.query('begin')
    await shop.admin.query(`select behalf.own('orders', 'user_id')`)
    const { rows } = await shop.admin.query(
      `select policyname from pg_policies where schemaname = 'shop' and tablename = 'orders'`,
    )
    expect(rows).toEqual([{ policyname: 'behalf_own' }])
    await shop.admin.query('rollback')
  })

  it('makes an index on the owner where there is none', async () => {
    const { rows } = await shop.admin.query(
      `select count(*)::int from pg_indexes where schemaname = 'shop' and indexdef like '%(user_id)'`,
    )
    expect(rows).toEqual([{ count: 2 }])
    const again = await shop.admin.query(`select behalf.own('notes', 'user_id'), (select count(*)::int from pg_indexes
      where schemaname = 'shop' and tablename = 'notes') as count`)
    expect(again.rows[0].count).toBe(2)
  })

  it("asks who is calling once per query, not once per row, and uses the owner's index", async () => {
    await shop.admin.query('begin')
    await shop.admin.query(
      `insert into notes select 'n' || i, 'usr_' || i from generate_series(1, 20000) i; analyze notes`,
    )
    await shop.admin.query(`set local role ${shop.role}; select set_config('behalf.sub', 'usr_7', true)`)
    const { rows } = await shop.admin.query('explain (format json) select * from notes')
    const plan = JSON.stringify(rows[0]['QUERY PLAN'])
    expect(plan).toContain('notes_user_id_idx')
    expect(plan).toContain('InitPlan')
    await shop.admin.query('rollback')
  })
})
