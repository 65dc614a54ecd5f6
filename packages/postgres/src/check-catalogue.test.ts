import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openShop, type OpenShop } from '../fixtures/shop.ts'
import { checkCatalogue } from './index.ts'

let shop: OpenShop
beforeAll(async () => void (shop = await openShop()))
afterAll(() => shop[Symbol.asyncDispose]())
const check = (allow: string[] = []) => checkCatalogue(shop.adminUrl, { schema: 'shop', role: shop.role, allow })

/** What plants a violation, what it is said to be, and what removes it again; ROLE is the app's. */
const planted: [string, string, RegExp, string][] = [
  [
    'a table that was forgotten',
    'create table secrets (id int)',
    /Table shop\.secrets has no forced row-level security: call behalf\.own/,
    'drop table secrets',
  ],
  [
    'a table with security of its own making',
    `create table secrets (id int); alter table secrets enable row level security;
    alter table secrets force row level security`,
    /Table shop\.secrets belongs to nobody that is known/,
    'drop table secrets',
  ],
  [
    'security that is not forced',
    'alter table notes no force row level security',
    /Table shop\.notes has no forced/,
    'alter table notes force row level security',
  ],
  [
    'security that is switched off',
    'alter table notes disable row level security',
    /Table shop\.notes has no forced/,
    'alter table notes enable row level security',
  ],
  [
    'a policy that was dropped',
    'drop policy behalf_deleted on order_items',
    /Table shop\.order_items has lost its policy behalf_deleted/,
    `select behalf.owned('order_items', through => 'order_id', parent => 'orders')`,
  ],
  [
    'a policy for everyone',
    'create policy behalf_all on notes using (true)',
    /Policy behalf_all on shop\.notes is true for every caller/,
    'drop policy behalf_all on notes',
  ],
  [
    'a policy for every write',
    'create policy behalf_all on notes for insert with check (true)',
    /is true for every caller/,
    'drop policy behalf_all on notes',
  ],
  [
    'a policy that only looks like a condition',
    'create policy friendly on notes using (1 = 1)',
    /Policy friendly on shop\.notes was not made by/,
    'drop policy friendly on notes',
  ],
  [
    'public rows that all may write',
    'create policy behalf_public2 on products using (true)',
    /Policy behalf_public2 on shop\.products is true/,
    'drop policy behalf_public2 on products',
  ],
  [
    "a view with its owner's rights",
    'create view all_notes as select * from notes',
    /View shop\.all_notes runs with its owner's rights/,
    'drop view all_notes',
  ],
  [
    'a view that was switched back',
    'create view all_notes with (security_invoker = false) as select * from notes',
    /View shop\.all_notes/,
    'drop view all_notes',
  ],
  [
    'a materialized view',
    'create materialized view all_notes as select * from notes',
    /Materialized view shop\.all_notes/,
    'drop materialized view all_notes',
  ],
  [
    'a SECURITY DEFINER function',
    `create function peek() returns int language sql security definer return 1`,
    /Function shop\.peek is SECURITY DEFINER/,
    'drop function peek()',
  ],
  [
    'a grant to PUBLIC',
    'grant select, delete on notes to public',
    /Table shop\.notes is granted to PUBLIC \(delete, select\)/,
    'revoke all on notes from public',
  ],
  [
    'a role that ignores policies',
    'alter role ROLE bypassrls',
    /Role shop_\w+ may ignore row-level security \(BYPASSRLS\): alter role shop_\w+ nobypassrls/,
    'alter role ROLE nobypassrls',
  ],
  ['a superuser', 'alter role ROLE superuser', /SUPERUSER/, 'alter role ROLE nosuperuser'],
  ['a role that makes roles', 'alter role ROLE createrole', /CREATEROLE/, 'alter role ROLE nocreaterole'],
  ['a role that makes databases', 'alter role ROLE createdb', /CREATEDB/, 'alter role ROLE nocreatedb'],
  ['a role that replicates', 'alter role ROLE replication', /REPLICATION/, 'alter role ROLE noreplication'],
  ['a role that inherits', 'alter role ROLE inherit', /INHERIT/, 'alter role ROLE noinherit'],
  [
    'a role in another role',
    'grant pg_read_all_data to ROLE',
    /Role shop_\w+ is a member of pg_read_all_data/,
    'revoke pg_read_all_data from ROLE',
  ],
  [
    'a role that owns a table',
    'alter table notes owner to ROLE',
    /Role shop_\w+ owns table (shop\.)?notes/,
    'alter table notes owner to current_user',
  ],
  [
    'a role that creates',
    'grant create on schema shop to ROLE',
    /Role shop_\w+ may create objects in schema shop/,
    'revoke create on schema shop from ROLE',
  ],
  [
    'a role that sees another schema',
    'create schema other; grant usage on schema other to ROLE',
    /Role shop_\w+ may use schema other/,
    'drop schema other',
  ],
  [
    'a role that may empty tables',
    'grant truncate on notes to ROLE',
    /Role shop_\w+ may truncate shop\.notes/,
    'revoke truncate on notes from ROLE',
  ],
]

const inDatabase = (statement: string) => `do $$ begin execute format('${statement}', current_database()); end $$`
planted.push(
  [
    'a policy of ours that was altered',
    'alter policy behalf_own on notes using (user_id is not null)',
    /Policy behalf_own on shop\.notes is not as the behalf library made it/,
    `select behalf.own('notes', 'user_id')`,
  ],
  [
    'a policy under a name like ours',
    'create policy behalf_friendly on notes using (user_id is not null)',
    /Policy behalf_friendly on shop\.notes was not made by/,
    'drop policy behalf_friendly on notes',
  ],
  [
    'a rule',
    'create rule peek as on insert to notes do also select * from orders',
    /Rule peek on shop\.notes runs with its owner's rights/,
    'drop rule peek on notes',
  ],
  [
    'a parent that rows no longer refer to',
    'alter table order_items drop constraint order_items_order_id_fkey',
    /shop\.order_items is reached through order_id, which is no longer a foreign key to shop\.orders \(id\)/,
    'alter table order_items add foreign key (order_id) references orders (id)',
  ],
  [
    'a column that is granted to PUBLIC',
    'grant select (body) on notes to public',
    /notes is granted to PUBLIC \(select\)/,
    'revoke select (body) on notes from public',
  ],
  [
    'a role that locks tables',
    'grant maintain on notes to ROLE',
    /may maintain shop\.notes/,
    'revoke maintain on notes from ROLE',
  ],
  [
    'a role that passes on what it has',
    'grant select on notes to ROLE with grant option',
    /may pass on select of shop\.notes/,
    'revoke grant option for select on notes from ROLE',
  ],
  [
    'a role that makes tables of its own',
    inDatabase('grant temp on database %I to ROLE'),
    /may create tables of its own in database/,
    inDatabase('revoke temp on database %I from ROLE'),
  ],
  [
    'a role that makes schemas',
    inDatabase('grant create on database %I to ROLE'),
    /may create schemas in database/,
    inDatabase('revoke create on database %I from ROLE'),
  ],
  [
    'a role that forgets what was done',
    'grant delete on behalf.performed to ROLE',
    /may delete behalf\.performed/,
    'revoke delete on behalf.performed from ROLE',
  ],
  [
    'a role that rewrites what was done',
    'grant update (request) on behalf.performed to ROLE',
    /may update behalf\.performed\.request/,
    'revoke update (request) on behalf.performed from ROLE',
  ],
  [
    'a role that uses the library',
    'grant execute on function behalf.force_security(regclass) to ROLE',
    /may execute behalf\.force_security/,
    'revoke execute on function behalf.force_security(regclass) from ROLE',
  ],
  [
    'a library whose tables are open',
    'alter table behalf.performed no force row level security',
    /Table behalf\.performed has no forced/,
    'alter table behalf.performed force row level security',
  ],
  [
    'a SECURITY DEFINER function next door',
    'create function behalf.peek() returns int language sql security definer return 1; revoke all on function behalf.peek() from public',
    /Function behalf\.peek is SECURITY DEFINER/,
    'drop function behalf.peek()',
  ],
  [
    'a role that switches triggers off',
    'grant set on parameter session_replication_role to ROLE',
    /may set session_replication_role/,
    'revoke set on parameter session_replication_role from ROLE',
  ],
  [
    'a role that is somebody from the start',
    `alter role ROLE set behalf.sub = 'usr_ben'`,
    /is set up with behalf\.sub=usr_ben/,
    'alter role ROLE reset behalf.sub',
  ],
)

it('has nothing to say of a schema that keeps the rules', async () => expect(await check()).toEqual([]))

describe.each(planted)('%s', (_name, plant, violation, remove) => {
  beforeEach(() => shop.admin.query(plant.replaceAll('ROLE', shop.role)))
  afterEach(() => shop.admin.query(remove.replaceAll('ROLE', shop.role)))
  it('is found, and nothing once it is removed', async () => {
    expect(await check()).toContainEqual(expect.stringMatching(violation))
    await shop.admin.query(remove.replaceAll('ROLE', shop.role))
    expect(await check()).toEqual([])
    await shop.admin.query(plant.replaceAll('ROLE', shop.role))
  })
})

it('exempts what is on the list, by name and nothing else', async () => {
  await shop.admin.query('create table job (id int); create table jobs (id int)')
  try {
    expect((await check(['job'])).every((violation) => violation.includes('shop.jobs'))).toBe(true)
    expect(await check(['job', 'jobs'])).toEqual([])
  } finally {
    await shop.admin.query('drop table job, jobs')
  }
})

it('lets the role use the schemas that are named, and no other', async () => {
  await shop.admin.query(`create schema queue; create schema other; grant usage on schema queue, other to ${shop.role}`)
  try {
    const named = { schema: 'shop', role: shop.role, allowSchemas: ['queue'] }
    expect(await checkCatalogue(shop.adminUrl, named)).toEqual([expect.stringContaining('may use schema other')])
  } finally {
    await shop.admin.query('drop schema queue, other')
  }
})

describe('[P7] a schema that is shared with the role', () => {
  const shared = () => checkCatalogue(shop.adminUrl, { schema: 'shop', role: shop.role, shared: ['trust'] })
  beforeEach(() =>
    shop.admin.query(`create schema trust; grant usage on schema trust to ${shop.role};
      create table trust.secret (id int); create table trust.own (id text, hash text);
      alter table trust.own enable row level security, force row level security;
      create policy mine on trust.own to ${shop.role} using (id = (select behalf.sub()));
      create policy all_of_it on trust.own to postgres using (true);
      grant select (id), update (id) on trust.own to ${shop.role}`),
  )
  afterEach(() => shop.admin.query('drop schema trust cascade'))

  it('is not looked at beyond what the role was granted there', async () => {
    expect(await shared()).toEqual([])
    expect(await check()).toEqual([expect.stringContaining('may use schema trust')])
  })

  it.each([
    ['grant select (id) on trust.secret to ROLE', /Table trust\.secret is granted to .* without forced/],
    ['grant select on trust.secret to public', /Table trust\.secret is granted to .* without forced/],
    ['alter table trust.own no force row level security', /Table trust\.own is granted to .* without forced/],
    ['alter table trust.own disable row level security', /Table trust\.own is granted to .* without forced/],
    ['create policy more on trust.own to ROLE using (true)', /Policy more on trust\.own is true for every caller/],
    ['create policy more on trust.own for insert with check (true)', /Policy more on trust\.own is true/],
    [
      'create view trust.all_of_it as select * from trust.secret; grant select on trust.all_of_it to ROLE',
      /View trust\.all_of_it shows/,
    ],
    ['create materialized view trust.m as select 1; grant select on trust.m to ROLE', /View trust\.m shows/],
    ['grant truncate on trust.own to ROLE', /may truncate trust\.own/],
    ['create function trust.f() returns int language sql security definer return 1', /trust\.f is SECURITY DEFINER/],
    ['grant create on schema trust to ROLE', /may create objects in schema trust/],
  ])('%s is found', async (plant, violation) => {
    await shop.admin.query(plant.replaceAll('ROLE', shop.role))
    expect(await shared()).toEqual([expect.stringMatching(violation)])
  })
})

it('does not pass a schema or a role that is not there', async () => {
  await expect(checkCatalogue(shop.adminUrl, { schema: 'shopp', role: shop.role })).rejects.toThrow('no schema "shopp"')
  await expect(checkCatalogue(shop.adminUrl, { schema: 'shop', role: 'shopp' })).rejects.toThrow('no role "shopp"')
})

it('fails where its connection is lost, and nothing crashes', async () => {
  await shop.admin.query('begin; lock table behalf.ownership')
  const checked = check().catch((error: Error) => error.message)
  const terminate = async () => {
    // Within a transaction, activity is as it was when it was first looked at.
    await shop.admin.query('select pg_stat_clear_snapshot()')
    const blocked = `select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'
      and datname = current_database()`
    return (await shop.admin.query(blocked)).rowCount
  }
  await expect.poll(terminate, { timeout: 10_000 }).toBe(1)
  expect(await checked).toContain('terminating connection')
  await shop.admin.query('rollback')
  expect(await check()).toEqual([])
})
