import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { testDatabase, type TestDatabase } from './embedded.ts'
import { checkCatalogue, provision } from './index.ts'

let database: TestDatabase
let admin: pg.Client
let folder: string
beforeAll(async () => {
  database = await testDatabase()
  admin = new pg.Client(database.url)
  await admin.connect()
})
afterAll(async () => {
  await admin.end()
  await database.close()
})
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'behalf-migrations-'))))
afterEach(() => rm(folder, { recursive: true }))

const migration = (name: string, text: string) => writeFile(join(folder, name), text)
async function as<R>(url: string, work: (client: pg.Client) => Promise<R>): Promise<R> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

describe('provision', () => {
  it('makes an app that keeps the rules, and applies each migration once', async () => {
    await migration(
      '001-first.sql',
      `create table notes (id serial primary key, user_id text not null); select behalf.own('notes', 'user_id');`,
    )
    const url = await database.provision('first_app', folder)
    await migration('002-second.sql', 'alter table notes add body text')
    await database.provision('first_app', folder)
    expect(await checkCatalogue(database.url, { schema: 'first_app', role: 'first_app' })).toEqual([])
    await as(url, async (client) => {
      await client.query(
        `begin; set local behalf.sub = 'usr_ada'; insert into notes (user_id, body) values ('usr_ada', 'x'); commit`,
      )
      expect((await client.query('select * from notes')).rows).toEqual([])
    })
    expect((await admin.query('select name from behalf.migration_first_app order by 1')).rows).toEqual([
      { name: '001-first' },
      { name: '002-second' },
    ])
  })

  it('shows one app nothing of another, nor of what the library keeps', async () => {
    await migration('001.sql', 'create table secrets (id int)')
    await database.provision('app_one', folder)
    const url = await database.provision('app_two', folder)
    await as(url, async (client) => {
      expect((await client.query('select * from secrets')).rows).toEqual([])
      for (const statement of [
        'select * from app_one.secrets',
        'select * from behalf.ownership',
        'select * from behalf.migration_app_one',
        `select behalf.public('secrets')`,
        `select behalf.admit('app_two')`,
        'create table mine (id int)',
        'create temporary table mine (id int)',
        'create table public.mine (id int)',
        'alter table secrets add x int',
        'drop table secrets',
        'truncate secrets',
      ]) {
        await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' })
      }
    })
  })

  it('may be run by several processes at once', async () => {
    await migration('001.sql', 'create table things (id int)')
    const urls = await Promise.all(Array.from({ length: 4 }, () => database.provision('busy_app', folder)))
    expect(new Set(urls).size).toBe(1)
    await as(urls[0] ?? '', async (client) => expect((await client.query('table things')).rows).toEqual([]))
  })

  it('says in which line of a migration PostgreSQL stopped', async () => {
    await migration(
      '001.sql',
      'create table things (id int);\n-- \u{1F600}\ninsert into things\n  select nothing from things;\n',
    )
    await expect(database.provision('stopping_app', folder)).rejects.toThrow(
      /Migration .*001\.sql:4 failed: column "nothing" does not exist/,
    )
  })

  it('undoes the migration that fails, names it, and goes on from there when it is mended', async () => {
    await migration('001.sql', 'create table kept (id int)')
    await migration('002.sql', 'create table half (id int); select 1 / 0')
    await expect(database.provision('failing_app', folder)).rejects.toThrow(
      /Migration .*002\.sql failed: division by zero/,
    )
    const tables = async () =>
      (
        await admin.query(`select relname from pg_class where relnamespace = 'failing_app'::regnamespace
      and relkind = 'r' order by 1`)
      ).rows.map(({ relname }) => relname)
    expect(await tables()).toEqual(['kept'])
    await migration('002.sql', 'create table half (id int)')
    await database.provision('failing_app', folder)
    expect(await tables()).toEqual(['half', 'kept'])
  })

  it('keeps what a migration revokes', async () => {
    await migration('001.sql', 'create table ledger (id int); revoke update, delete on ledger from ledger_app')
    const url = await database.provision('ledger_app', folder)
    await database.provision('ledger_app', folder)
    await as(url, async (client) => {
      await client.query('insert into ledger values (1)')
      await expect(client.query('delete from ledger')).rejects.toMatchObject({ code: '42501' })
    })
  })

  it('does not crash the process when its connection goes away', async () => {
    await migration(
      '001.sql',
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and state = 'idle' and query = 'commit' and pid <> pg_backend_pid()`,
    )
    const url = await database.provision('cut_off', folder)
    expect(await as(url, async (client) => (await client.query('select 1 as one')).rows)).toEqual([{ one: 1 }])
  })

  it('changes the password of a role that is there', async () => {
    await provision({ adminUrl: database.url, name: 'renewed_app', password: 'one', migrations: folder })
    const odd = `two'; alter role renewed_app superuser; --\\`
    await provision({ adminUrl: database.url, name: 'renewed_app', password: odd, migrations: folder })
    const url = new URL(database.url)
    const login = (password: string) =>
      as(Object.assign(new URL(url), { username: 'renewed_app', password }).href, (client) => client.query('select 1'))
    await expect(login(encodeURIComponent(odd))).resolves.toBeDefined()
    await expect(login('one')).rejects.toMatchObject({ code: '28P01' })
    expect((await admin.query(`select rolsuper from pg_roles where rolname = 'renewed_app'`)).rows).toEqual([
      { rolsuper: false },
    ])
  })

  it('refuses a role that may do more than an app', async () => {
    await admin.query('create role strong_app bypassrls')
    await expect(database.provision('strong_app', folder)).rejects.toThrow('may do more than an app may')
    await admin.query('alter role strong_app nobypassrls')
    await expect(database.provision('strong_app', folder)).resolves.toBeTypeOf('string')
  })

  it.each([
    '',
    'Orders',
    '1a',
    'a-b',
    'a"b',
    'a; drop role x',
    'postgres',
    'public',
    'behalf',
    'pg_app',
    'x'.repeat(41),
    'é',
  ])('refuses the name "%s"', async (name) => {
    await expect(database.provision(name, folder)).rejects.toThrow('cannot name an app')
  })
})
