import { sql, type Kysely } from 'kysely'
import type { Database, ToolCallStatus } from '../database.ts'

/** The channel on which the id of every run is sent of which something was stored. */
export const runChanged = 'chat_run_changed'

export type NewRunEvent =
  | { readonly kind: 'TOOL_CALL'; readonly call: string; readonly status: ToolCallStatus }
  | { readonly kind: 'APPROVAL'; readonly call: string }
  | { readonly kind: 'ENDED' }

/** Writes down what happened, in the transaction that made it so, and says to those who listen that it did. */
export async function addEvents(db: Kysely<Database>, run: string, events: readonly NewRunEvent[]): Promise<void> {
  if (events.length === 0) return
  const { last_seq: last } = await db
    .updateTable('run')
    .set((eb) => ({ last_seq: eb('last_seq', '+', events.length) }))
    .where('id', '=', run)
    .returning('last_seq')
    .executeTakeFirstOrThrow()
  await db
    .insertInto('run_event')
    .values(
      events.map((event, index) => ({
        run_id: run,
        seq: last - events.length + index + 1,
        kind: event.kind,
        tool_call_id: event.kind === 'ENDED' ? null : event.call,
        status: event.kind === 'TOOL_CALL' ? event.status : null,
      })),
    )
    .execute()
  await sql`select pg_notify(${runChanged}, ${run})`.execute(db)
}
