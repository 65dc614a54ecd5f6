import { queryTogether, type Statement } from '@behalf/postgres'
import type { Kysely } from 'kysely'
import type { Database, ToolCallStatus } from '../database.ts'

/** The channel on which the id of every run is sent of which something was stored. */
export const runChanged = 'chat_run_changed'

export type NewRunEvent =
  | { readonly kind: 'TOOL_CALL'; readonly call: string; readonly status: ToolCallStatus }
  | { readonly kind: 'APPROVAL'; readonly call: string }

/**
 * Writes down what happened, in the transaction that made it so, and says to those who listen that it did: in one statement,
 * since every write of a run has some.
 */
export function eventStatement(run: string, events: readonly NewRunEvent[]): Statement {
  const kinds = events.map(({ kind }) => kind)
  const calls = events.map(({ call }) => call)
  const statuses = events.map((event) => (event.kind === 'TOOL_CALL' ? event.status : null))
  return {
    name: 'run_events',
    text: `with counted as (
        update run set last_seq = last_seq + $2::integer where id = $1 returning last_seq
      ), written as (
        insert into run_event (run_id, seq, kind, tool_call_id, status)
        select $1, last_seq - $2::integer + number, kind, call, status
        from counted, unnest($3::text[], $4::text[], $5::text[]) with ordinality as event (kind, call, status, number)
      )
      select pg_notify('${runChanged}', $1) from counted`,
    values: [run, events.length, kinds, calls, statuses],
  }
}

/** @throws where there is no such run of the caller's */
export async function addEvents(db: Kysely<Database>, run: string, events: readonly NewRunEvent[]): Promise<void> {
  const [rows = []] = await queryTogether(db, [eventStatement(run, events)])
  if (rows.length === 0) throw new Error(`There is no run ${run}.`)
}
