import type { RunEnd } from '@behalf/orchestration'
import { queryTogether, type Statement } from '@behalf/postgres'
import type { Kysely } from 'kysely'
import { activeStatuses, type Database } from '../database.ts'
import { queueSchema } from '../queue/queue-migration.ts'
import { runEnded } from '../run-watch.ts'
import { answerIdOf, newId } from './new-id.ts'
import { runChanged } from './run-events.ts'
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
  const [state, ...rest] = endStatements(run, holder, ending)
  const [ended = []] = await queryTogether(db, [state])
  if (ended.length === 0) return false
  await queryTogether(db, rest)
  return true
}

/** The same as statements, for whoever is sure that the run is theirs to end. */
export function endStatements(
  run: string,
  holder: number | null,
  { status, code, retryAfterMs, text }: Ending,
): [state: Statement, ...rest: Statement[]] {
  return [
    {
      name: 'run_end',
      text: `update run set status = $2, error_code = $3, retry_after_ms = $4, finished_at = now(), waiting_since = null
        where id = $1 and status = any($5) and holder = coalesce($6, holder) returning id`,
      values: [run, status, code, retryAfterMs, activeStatuses, holder],
    },
    ...(text === '' ? [] : [messageStatement({ run, role: 'ASSISTANT', text })]),
    // Nobody waits any more. A job that is being worked finds that by itself.
    {
      name: 'run_end_waiting',
      text: `delete from ${queueSchema}._private_jobs where key = $1 and locked_at is null`,
      values: [run],
    },
    { name: 'run_end_delegation', text: 'delete from run_delegation where run_id = $1', values: [run] },
    // A call that was sent and not answered may have happened; one that was not sent did not.
    {
      name: 'run_end_calls',
      text: `with cancelled as (
          update tool_call set status = 'CANCELLED', finished_at = now(),
            error_code = case when status = 'RUNNING' then 'OUTCOME_UNKNOWN' end
          where run_id = $1 and status in ('PROPOSED', 'AWAITING_APPROVAL', 'RUNNING')
          returning id, step, position
        ), told as (
          select id, row_number() over (order by step, position) as number from cancelled
        ), counted as (
          update run set last_seq = last_seq + 1 + (select count(*) from told) where id = $1 returning last_seq
        ), written as (
          insert into run_event (run_id, seq, kind, tool_call_id, status)
          select $1, last_seq - 1 - (select count(*) from told) + number, 'TOOL_CALL', id, 'CANCELLED' from counted, told
          union all select $1, last_seq, 'ENDED', null, null from counted
        )
        select pg_notify(channel, $1) from counted, unnest('{${runChanged},${runEnded}}'::text[]) channel`,
      values: [run],
    },
  ]
}

/**
 * Adds a text to the end of its run's conversation; nothing where there is no such run. Only one run at a time does so in one
 * conversation.
 */
export function messageStatement(message: { run: string; role: 'USER' | 'ASSISTANT'; text: string }): Statement {
  const { run, role, text } = message
  return {
    name: 'message',
    text: `insert into message (id, run_id, conversation_id, role, text, position)
      select $1, id, conversation_id, $3, $4, coalesce(
        (select max(position) from message where message.conversation_id = run.conversation_id), 0) + 1
      from run where id = $2`,
    values: [role === 'ASSISTANT' ? answerIdOf(run) : newId('msg'), run, role, storable(text)],
  }
}
