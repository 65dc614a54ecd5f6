import type { Pool } from 'pg'
import { statement } from './statement.ts'

type Table = 'used_ticket' | 'used_workload_token'

/** A ticket is for now; a workload token is accepted for some seconds more, where clocks differ. */
const toleranceOf = { used_ticket: '0 s', used_workload_token: '1 minute' } as const

/**
 * The beginning of a statement that records an id, `$1`, which expires at `$2`, in `table`: there is one row in `used` for
 * whoever does so first, of any number at once, and none for the others. What has expired is not accepted, and each use clears
 * away a few that expired long ago.
 */
export const withUsed = (table: Table): string => `
  with expired as (
    delete from authority.${table} where id in (
      select id from authority.${table} where expires_at < now() - interval '10 minutes'
      order by expires_at limit 10 for update skip locked)
  ), used as (
    insert into authority.${table} (id, expires_at)
    select $1, $2::timestamptz where $2::timestamptz > now() - interval '${toleranceOf[table]}'
    on conflict do nothing returning id
  )`

const useTokenStatement = statement('use_token', `${withUsed('used_workload_token')} select id from used`)

/** Whether it is the first use of a workload token. */
export async function useToken(pool: Pool, id: string, expiresAt: Date): Promise<boolean> {
  return (await useTokenStatement(pool, id, expiresAt)).length === 1
}
