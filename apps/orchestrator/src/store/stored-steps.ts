import type { ToolOutcome } from '@behalf/identity'
import type { Call, Step } from '@behalf/orchestration'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../database.ts'
import { addEvents } from './run-events.ts'
import { storable } from './storable.ts'

/** The answers of the model so far, with their calls. */
export async function readSteps(db: Kysely<Database>, run: string): Promise<Step[]> {
  const steps = await db.selectFrom('step').selectAll().where('run_id', '=', run).orderBy('number').execute()
  const calls = await db
    .selectFrom('tool_call')
    .selectAll()
    .where('run_id', '=', run)
    .orderBy('step')
    .orderBy('position')
    .execute()
  const byStep = Map.groupBy(calls, (call) => call.step)
  return steps.map((step) => ({
    text: step.text,
    reason: step.reason,
    usage: step.reported
      ? {
          inputTokens: step.input_tokens,
          outputTokens: step.output_tokens,
          cachedInputTokens: step.cached_input_tokens,
        }
      : null,
    calls: (byStep.get(step.number) ?? []).map((call): Call => ({
      id: call.id,
      name: call.tool,
      arguments: call.arguments,
      outcome: outcomeOf(call),
      ...(call.approval_expires_at && { askedUntil: call.approval_expires_at.getTime() }),
    })),
  }))
}

function outcomeOf(call: {
  status: string
  result: unknown
  result_truncated: boolean
  error_code: string | null
  error_message: string | null
}): ToolOutcome | null {
  if (call.status === 'PROPOSED' || call.status === 'AWAITING_APPROVAL' || call.status === 'RUNNING') return null
  if (call.status === 'SUCCEEDED') return { ok: true, result: call.result, truncated: call.result_truncated }
  return { ok: false, error: { code: call.error_code ?? 'INTERNAL', message: call.error_message ?? '' } }
}

/** @param start - the call that is about to be sent, which is stored as sent, then */
export async function insertStep(
  db: Kysely<Database>,
  run: string,
  { number, step, start }: { readonly number: number; readonly step: Step; readonly start: string | undefined },
): Promise<void> {
  const { text, reason, usage, calls } = step
  await db
    .insertInto('step')
    .values({
      run_id: run,
      number,
      text: storable(text),
      reason,
      reported: usage !== null,
      input_tokens: usage?.inputTokens ?? null,
      output_tokens: usage?.outputTokens ?? null,
      cached_input_tokens: usage?.cachedInputTokens ?? null,
    })
    .execute()
  if (calls.length === 0) return
  const statusOf = ({ outcome }: Step['calls'][number]) => (outcome === null ? 'PROPOSED' : 'FAILED')
  const isStarted = ({ id }: Step['calls'][number]) => id === start
  await db
    .insertInto('tool_call')
    .values(
      calls.map((call, position) => ({
        id: call.id,
        run_id: run,
        step: number,
        position,
        tool: storable(call.name),
        arguments: JSON.stringify(call.arguments),
        status: isStarted(call) ? 'RUNNING' : statusOf(call),
        ...(isStarted(call) && { started_at: sql<Date>`now()` }),
        ...(call.outcome === null ? {} : { ...outcomeColumns(call.outcome), finished_at: sql<Date>`now()` }),
      })),
    )
    .execute()
  await addEvents(db, run, [
    ...calls.map((call) => ({ kind: 'TOOL_CALL', call: call.id, status: statusOf(call) }) as const),
    ...calls.filter(isStarted).map(({ id }) => ({ kind: 'TOOL_CALL', call: id, status: 'RUNNING' }) as const),
  ])
}

export function outcomeColumns(outcome: ToolOutcome) {
  return outcome.ok
    ? {
        result: JSON.stringify(outcome.result),
        result_truncated: outcome.truncated,
        error_code: null,
        error_message: null,
      }
    : { result: null, result_truncated: false, error_code: outcome.error.code, error_message: outcome.error.message }
}
