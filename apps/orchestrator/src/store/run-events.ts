import { sql, type Kysely } from 'kysely'
import type { Database, ToolCallStatus } from '../database.ts'

/** The channel on which the id of every run is sent of which something was stored. */
export const runChanged = 'chat_run_changed'

export type NewRunEvent =
  | { readonly kind: 'TOOL_CALL'; readonly call: string; readonly status: ToolCallStatus }
  | { readonly kind: 'APPROVAL'; readonly call: string }
  | { readonly kind: 'ENDED' }

/**
 * Writes down what happened, in the transaction that made it so, and says to those who listen that it did: in one statement,
 * since every write of a run has some.
 *
 * @param also - further channels on which the run's id is sent
 */
export async function addEvents(
  db: Kysely<Database>,
  run: string,
  events: readonly NewRunEvent[],
  also: readonly string[] = [],
): Promise<void> {
  if (events.length === 0) return
  const kinds = events.map(({ kind }) => kind)
  const calls = events.map((event) => (event.kind === 'ENDED' ? null : event.call))
  const statuses = events.map((event) => (event.kind === 'TOOL_CALL' ? event.status : null))
  const { rows } = await sql`
    with counted as (
      update run set last_seq = last_seq + ${events.length} where id = ${run} returning last_seq
    ), written as (
      insert into run_event (run_id, seq, kind, tool_call_id, status)
      select ${run}, last_seq - ${events.length} + number, kind, call, status
      from counted, unnest(${kinds}::text[], ${calls}::text[], ${statuses}::text[])
        with ordinality as event (kind, call, status, number)
    )
    select pg_notify(channel, ${run}) from counted, unnest(${[runChanged, ...also]}::text[]) channel`.execute(db)
  if (rows.length === 0) throw new Error(`There is no run ${run}.`)
}
