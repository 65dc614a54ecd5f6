import type { ToolOutcome } from '@behalf/identity'
import type { Call, CallStatus, Step } from '@behalf/orchestration'
import type { Statement } from '@behalf/postgres'
import type { Kysely } from 'kysely'
import type { Database } from '../database.ts'
import { eventStatement } from './run-events.ts'
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
export function stepStatements(
  run: string,
  { number, step, start }: { readonly number: number; readonly step: Step; readonly start: string | undefined },
): Statement[] {
  const { text, reason, usage, calls } = step
  const added: Statement = {
    name: 'step',
    text: `insert into step (run_id, number, text, reason, reported, input_tokens, output_tokens, cached_input_tokens)
      values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    values: [
      run,
      number,
      storable(text),
      reason,
      usage !== null,
      usage?.inputTokens ?? null,
      usage?.outputTokens ?? null,
      usage?.cachedInputTokens ?? null,
    ],
  }
  if (calls.length === 0) return [added]
  const statusOf = ({ outcome }: Step['calls'][number]) => (outcome === null ? 'PROPOSED' : 'FAILED')
  const isStarted = ({ id }: Step['calls'][number]) => id === start
  const errorOf = ({ outcome }: Step['calls'][number]) => (outcome?.ok === false ? outcome.error : null)
  return [
    added,
    {
      name: 'step_calls',
      text: `insert into tool_call (id, run_id, step, position, tool, arguments, status, error_code, error_message, started_at,
          finished_at)
        select id, $1, $2, number - 1, tool, arguments, status, code, message,
          case when status = 'RUNNING' then now() end, case when status = 'FAILED' then now() end
        from unnest($3::text[], $4::text[], $5::json[], $6::text[], $7::text[], $8::text[])
          with ordinality as call (id, tool, arguments, status, code, message, number)`,
      values: [
        run,
        number,
        calls.map(({ id }) => id),
        calls.map(({ name }) => storable(name)),
        calls.map((call) => JSON.stringify(call.arguments)),
        calls.map((call) => (isStarted(call) ? 'RUNNING' : statusOf(call))),
        calls.map((call) => errorOf(call)?.code ?? null),
        calls.map((call) => errorOf(call)?.message ?? null),
      ],
    },
    eventStatement(run, [
      ...calls.map((call) => ({ kind: 'TOOL_CALL', call: call.id, status: statusOf(call) }) as const),
      ...calls.filter(isStarted).map(({ id }) => ({ kind: 'TOOL_CALL', call: id, status: 'RUNNING' }) as const),
    ]),
  ]
}

/** A call that is about to be sent. */
export const startStatement = (call: string): Statement => ({
  name: 'call_start',
  text: `update tool_call set status = 'RUNNING', started_at = coalesce(started_at, now()) where id = $1`,
  values: [call],
})

/** What came of a call. */
export function settleStatement(call: string, status: CallStatus, outcome: ToolOutcome): Statement {
  const error = outcome.ok ? null : outcome.error
  return {
    name: 'call_settle',
    text: `update tool_call set status = $2, result = $3, result_truncated = $4, error_code = $5, error_message = $6,
      finished_at = now() where id = $1`,
    values: [
      call,
      status,
      outcome.ok ? JSON.stringify(outcome.result) : null,
      outcome.ok && outcome.truncated,
      error?.code ?? null,
      error?.message ?? null,
    ],
  }
}
