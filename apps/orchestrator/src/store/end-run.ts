import type { RunEnd } from '@behalf/orchestration'
import { sql, type Kysely } from 'kysely'
import { activeStatuses, type Database } from '../database.ts'
import { forgetWaiting } from '../queue/waiting-runs.ts'
import { runEnded } from '../run-watch.ts'
import { answerIdOf, newId } from './new-id.ts'
import { addEvents } from './run-events.ts'
import { storable } from './storable.ts'

/** How a run is ended, by whoever works it or by the user. */
type Ending = Omit<RunEnd, 'status'> & { readonly status: RunEnd['status'] | 'CANCELLED' }

/**
 * Ends a run in the transaction of `db`: its state, its message, the calls that are still open, its delegation, and
 * the word to those who wait for it.
 *
 * @param holder - null ends it whoever holds it.
 * @returns false if the run is over already, is held by somebody else, or is not the caller's; nothing is changed then.
 */
export async function endRun(
  db: Kysely<Database>,
  run: string,
  holder: number | null,
  ending: Ending,
): Promise<boolean> {
  const ended = await db
    .updateTable('run')
    .set({
      status: ending.status,
      error_code: ending.code,
      retry_after_ms: ending.retryAfterMs,
      finished_at: sql`now()`,
      waiting_since: null,
    })
    .where('id', '=', run)
    .where('status', 'in', activeStatuses)
    .$if(holder !== null, (query) => query.where('holder', '=', holder))
    .returning('conversation_id')
    .executeTakeFirst()
  if (!ended) return false

  // A call that was sent and not answered may have happened; one that was not sent did not.
  const cancelled = await db
    .updateTable('tool_call')
    .set((eb) => ({
      status: 'CANCELLED',
      error_code: eb.case().when('status', '=', 'RUNNING').then('OUTCOME_UNKNOWN').else(null).end(),
      finished_at: sql`now()`,
    }))
    .where('run_id', '=', run)
    .where('status', 'in', ['PROPOSED', 'AWAITING_APPROVAL', 'RUNNING'])
    .returning('id')
    .execute()
  if (ending.text !== '')
    await addMessage(db, { run, conversation: ended.conversation_id, role: 'ASSISTANT', text: ending.text })
  await forgetWaiting(db, run)
  await db.deleteFrom('run_delegation').where('run_id', '=', run).execute()
  const events = cancelled.map(({ id }) => ({ kind: 'TOOL_CALL', call: id, status: 'CANCELLED' }) as const)
  await addEvents(db, run, [...events, { kind: 'ENDED' }], [runEnded])
  return true
}

/** Adds a text to the end of a conversation. Only one run at a time does so in one conversation. */
export async function addMessage(
  db: Kysely<Database>,
  message: { run: string; conversation: string; role: 'USER' | 'ASSISTANT'; text: string },
): Promise<void> {
  await db
    .insertInto('message')
    .values((eb) => ({
      id: message.role === 'ASSISTANT' ? answerIdOf(message.run) : newId('msg'),
      run_id: message.run,
      conversation_id: message.conversation,
      role: message.role,
      text: storable(message.text),
      position: eb
        .selectFrom('message')
        .select((max) => max(max.fn.coalesce(max.fn.max('position'), max.lit(0)), '+', 1).as('next'))
        .where('conversation_id', '=', message.conversation),
    }))
    .execute()
}
