import { sql, type Kysely } from 'kysely'
import type { Database } from './database.ts'

/**
 * Records an id in `table`: true for whoever does so first, of any number at once. What has expired is not accepted,
 * and each use clears away a few that expired long ago.
 */
export async function useOnce(
  db: Kysely<Database>,
  table: 'used_ticket' | 'used_workload_token',
  id: string,
  expiresAt: Date,
): Promise<boolean> {
  const used = sql.id('authority', table)
  const { numAffectedRows } = await sql`
    with expired as (
      delete from ${used} where id in (
        select id from ${used} where expires_at < now() - interval '10 minutes'
        order by expires_at limit 10 for update skip locked)
    )
    insert into ${used} (id, expires_at)
    select ${id}, ${expiresAt}::timestamptz
    where ${expiresAt}::timestamptz > now() - ${toleranceOf[table]}::interval
    on conflict do nothing`.execute(db)
  return numAffectedRows === 1n
}

/** A ticket is for now; a workload token is accepted for some seconds more, where clocks differ. */
const toleranceOf = { used_ticket: '0 s', used_workload_token: '1 minute' } as const
