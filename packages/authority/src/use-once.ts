import type { Kysely } from 'kysely'
import type { Database } from './database.ts'
import { statement } from './statement.ts'

type Table = 'used_ticket' | 'used_workload_token'

/**
 * Records an id in `table`: true for whoever does so first, of any number at once. What has expired is not accepted,
 * and each use clears away a few that expired long ago.
 */
export async function useOnce(db: Kysely<Database>, table: Table, id: string, expiresAt: Date): Promise<boolean> {
  const { numAffectedRows } = await statements[table](db, id, expiresAt)
  return numAffectedRows === 1n
}

/** A ticket is for now; a workload token is accepted for some seconds more, where clocks differ. */
const toleranceOf = { used_ticket: '0 s', used_workload_token: '1 minute' } as const

const useSql = (table: Table) => `
  with expired as (
    delete from authority.${table} where id in (
      select id from authority.${table} where expires_at < now() - interval '10 minutes'
      order by expires_at limit 10 for update skip locked)
  )
  insert into authority.${table} (id, expires_at)
  select $1, $2::timestamptz where $2::timestamptz > now() - interval '${toleranceOf[table]}'
  on conflict do nothing`

const statements = {
  used_ticket: statement(useSql('used_ticket')),
  used_workload_token: statement(useSql('used_workload_token')),
} as const
