import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import type { Dataset } from './dataset.ts'
import { subjectRows } from './subjects.ts'

export interface SeedOptions {
  /** A role that owns the tables. */
  readonly adminUrl: string
  /** The identity provider whose `sub` claims name the users. */
  readonly issuer: string
}

export interface Seeded {
  /** True if the data was there already. */
  readonly skipped: boolean
  /** Rows by table, of those that were written. */
  readonly rows: Readonly<Record<string, number>>
}

const lockKey = '5163497285034217760'

/**
 * Fills the tables of identity, orders and balance with the development data, and the authority's table of subjects
 * with the same users. All or nothing, and only once: a second call does nothing, unless the data has changed since.
 *
 * @throws if the tables have rows that did not come from here: those are never deleted.
 */
export async function seed({ adminUrl, issuer }: SeedOptions): Promise<Seeded> {
  const version = await versionOfData()
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1)', [lockKey])
    const known = await knownVersions(client)
    const isFilled = known.get('data') === version
    const isKnown = known.get(issuer) === version
    const rows =
      isFilled && isKnown ? {} : await fill(client, issuer, { withData: !isFilled, replace: known.has('data') })
    for (const part of ['data', issuer]) {
      await client.query(
        `insert into seed.part (name, version) values ($1, $2)
         on conflict (name) do update set version = excluded.version where part.version <> excluded.version`,
        [part, version],
      )
    }
    await client.query('commit')
    return { skipped: isFilled && isKnown, rows }
  } finally {
    await client.end()
  }
}

/** The data is a function of these files, so they are its version. */
async function versionOfData(): Promise<string> {
  const folder = import.meta.dirname
  const files = (await readdir(folder)).filter((file) => !file.endsWith('.test.ts')).toSorted()
  const hash = createHash('sha256')
  for (const file of files) hash.update(file).update(await readFile(join(folder, file)))
  return hash.digest('base64url')
}

async function knownVersions(client: pg.Client): Promise<ReadonlyMap<string, string>> {
  const { rows: found } = await client.query<{ exists: boolean }>(
    `select to_regclass('seed.part') is not null as exists`,
  )
  if (!found[0]?.exists) {
    await client.query('create schema seed')
    await client.query('create table seed.part (name text primary key, version text not null)')
  }
  const { rows } = await client.query<{ name: string; version: string }>('select name, version from seed.part')
  return new Map(rows.map(({ name, version }) => [name, version]))
}

/** Only here is the data made, and faker loaded: a start that finds it in place does neither. */
async function fill(
  client: pg.Client,
  issuer: string,
  { withData, replace }: { readonly withData: boolean; readonly replace: boolean },
): Promise<Record<string, number>> {
  const { createDataset } = await import('./dataset.ts')
  const dataset = createDataset()
  const written: Record<string, number> = {}
  if (withData) {
    const tables = Object.keys(dataset) as (keyof Dataset)[]
    if (replace) await client.query(`truncate ${tables.join(', ')} cascade`)
    const restore = await liftRowSecurity(client, tables)
    await refuseForeignRows(client, tables)
    for (const table of tables) {
      await client.query(`insert into ${table} select * from json_populate_recordset(null::${table}, $1)`, [
        JSON.stringify(dataset[table]),
      ])
      written[table] = dataset[table].length
    }
    await restore()
    await client.query(`analyze ${tables.join(', ')}`)
  }
  const subjects = subjectRows(dataset['identity.users'], issuer)
  await client.query(
    `insert into authority.subject (issuer, sub, subject, tenant, facts)
     select issuer, sub, subject, tenant, facts
     from json_to_recordset($1) as s (issuer text, sub text, subject text, tenant text, facts jsonb)
     on conflict (issuer, sub) do update
       set subject = excluded.subject, tenant = excluded.tenant, facts = excluded.facts`,
    [JSON.stringify(subjects)],
  )
  return { ...written, 'authority.subject': subjects.length }
}

async function refuseForeignRows(client: pg.Client, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    const { rowCount } = await client.query(`select from ${table} limit 1`)
    if (rowCount) throw new Error(`${table} has rows that are not of the development data: use an empty database.`)
  }
}

/**
 * Row-level security is forced on the tables' owner too, and an administrator need not be a superuser. It is lifted
 * for the owner, in this transaction only, and put back before it ends: no other transaction sees it lifted.
 */
async function liftRowSecurity(client: pg.Client, tables: readonly string[]): Promise<() => Promise<void>> {
  for (const table of tables) await client.query(`alter table ${table} no force row level security`)
  return async () => {
    // Pending checks of foreign keys would keep the tables from being altered.
    await client.query('set constraints all immediate')
    for (const table of tables) await client.query(`alter table ${table} force row level security`)
  }
}
