import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { authorityMigrations } from '@behalf/authority'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seed } from './seed.ts'

const issuer = 'http://127.0.0.1:4200'
const migrations = (app: string) => fileURLToPath(new URL(`../../../${app}/migrations`, import.meta.url))

describe('seed', () => {
  let database: TestDatabase
  let admin: pg.Client

  const value = async (query: string): Promise<unknown> => {
    const { rows } = await admin.query<{ value: unknown }>(`select (${query}) as value`)
    return rows[0]?.value
  }
  const fill = (options: { issuer?: string; adminUrl?: string } = {}) =>
    seed({ adminUrl: database.url, issuer, ...options })

  beforeAll(async () => {
    database = await testDatabase()
    await database.provision('gateway', authorityMigrations, 'authority')
    for (const app of ['identity', 'orders', 'balance']) await database.provision(app, migrations(app))
    admin = new pg.Client({ connectionString: database.url })
    await admin.connect()
  })
  afterAll(async () => {
    await admin?.end()
    await database?.close()
  })

  test('refuses tables that have rows of somebody else, and leaves nothing behind', async () => {
    await admin.query(`insert into identity.users values ('usr_real', 'acme', 'Real', 'real@acme.example', 'basic')`)
    await expect(fill()).rejects.toThrow('identity.users has rows that are not of the development data')
    expect(await value('select count(*)::int from orders.orders')).toBe(0)
    await admin.query('delete from identity.users')
  })

  test('fills an empty database', async () => {
    const { skipped, rows } = await fill()
    expect(skipped).toBe(false)
    expect(rows).toMatchObject({ 'identity.users': 504, 'orders.orders': 5000, 'balance.entries': 20_000 })
    for (const [table, count] of Object.entries(rows)) {
      expect(await value(`select count(*)::int from ${table}`)).toBe(count)
    }
    expect(await value('select sum(amount) from balance.entries')).toBe(
      await value('select sum(balance) from balance.accounts'),
    )
  })

  test('names the users as the issuer does', async () => {
    expect(await value(`select subject from authority.subject where issuer = '${issuer}' and sub = 'ada'`)).toBe(
      'usr_ada',
    )
    expect(await value(`select facts from authority.subject where issuer = '${issuer}' and sub = 'sam'`)).toEqual({
      name: 'Sam',
      email: 'sam@acme.example',
      tier: 'support',
      roles: ['support'],
    })
  })

  test('row-level security is forced again on every table', async () => {
    const lifted = `select count(*)::int from pg_class where relkind = 'r' and not relforcerowsecurity
      and relnamespace in ('identity'::regnamespace, 'orders'::regnamespace, 'balance'::regnamespace)`
    expect(await value(lifted)).toBe(0)
  })

  test('does nothing the second time', async () => {
    await admin.query(`update balance.accounts set balance = balance + 1 where user_id = 'usr_ada'`)
    const changed = await value(`select balance from balance.accounts where user_id = 'usr_ada'`)
    expect(await fill()).toEqual({ skipped: true, rows: {} })
    expect(await value(`select balance from balance.accounts where user_id = 'usr_ada'`)).toBe(changed)
  })

  test('another issuer gets its own names for the same users, and the data stays', async () => {
    const { rows } = await fill({ issuer: 'http://127.0.0.1:4299' })
    expect(rows).toEqual({ 'authority.subject': 504 })
    expect(await value('select count(distinct subject)::int from authority.subject')).toBe(504)
  })

  test('data of an older version is replaced', async () => {
    await admin.query(`update seed.part set version = 'older'`)
    expect((await fill()).rows).toMatchObject({ 'orders.orders': 5000 })
    expect(await value('select count(*)::int from orders.orders')).toBe(5000)
  })

  test('two at once fill it once', async () => {
    await admin.query(`update seed.part set version = 'older'`)
    const both = await Promise.all([fill(), fill()])
    expect(both.filter(({ skipped }) => skipped)).toHaveLength(1)
  })

  test('an administrator that row-level security binds can do it too', async () => {
    const url = new URL(database.url)
    const password = randomUUID()
    const role = `seeder_${url.pathname.slice(1)}`.slice(0, 60)
    const tables =
      'identity.users, orders.orders, orders.order_items, orders.shipments, balance.accounts, balance.entries, balance.payees, balance.transfers'
    await admin.query(`create role ${role} login noinherit password '${password}'`)
    try {
      await admin.query(`truncate ${tables}; truncate authority.subject; drop schema seed cascade`)
      await admin.query(`grant connect, create on database ${url.pathname.slice(1)} to ${role}`)
      await admin.query(
        `grant usage on schema behalf to ${role}; grant execute on all functions in schema behalf to ${role}`,
      )
      for (const schema of ['identity', 'orders', 'balance', 'authority']) {
        await admin.query(`grant usage, create on schema ${schema} to ${role}`)
        await admin.query(
          `do $$ declare t text; begin
             for t in select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = '${schema}' loop
               execute format('alter table %s owner to ${role}', t);
             end loop;
           end $$`,
        )
      }
      url.username = role
      url.password = password
      expect((await fill({ adminUrl: url.href })).rows).toMatchObject({ 'balance.entries': 20_000 })
    } finally {
      await admin.query(`reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`)
    }
  })
})
