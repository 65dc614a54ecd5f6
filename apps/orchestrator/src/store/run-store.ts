import type { ToolOutcome } from '@behalf/identity'
import { RunLost, type Call, type RunStore, type Step, type TakenRun, type Turn } from '@behalf/orchestration'
import type { Postgres, StoredCaller } from '@behalf/postgres'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../database.ts'
import { endRun } from './end-run.ts'
import { addEvents } from './run-events.ts'
import { storable } from './storable.ts'

/** Texts of the conversation that a run is told, newest kept. */
const maxTurns = 40
const maxTurnLength = 60_000

/** The runs of one user. Each write is one transaction, in which it is seen that the run is still held. */
export function createRunStore(postgres: Postgres<Database>, owner: StoredCaller): RunStore {
  return {
    async take(run) {
      return transact(async (db) => {
        const taken = await db
          .updateTable('run')
          .set((eb) => ({
            status: 'RUNNING',
            holder: eb('holder', '+', 1),
            started_at: sql<Date>`coalesce(started_at, now())`,
          }))
          .where('id', '=', run)
          .where('status', 'in', ['QUEUED', 'RUNNING'])
          .returning(['holder', 'conversation_id as conversation', 'started_at as startedAt'])
          .executeTakeFirst()
        if (!taken) return null
        const delegation = await db
          .selectFrom('run_delegation')
          .select('handle')
          .where('run_id', '=', run)
          .executeTakeFirst()
        return heldRun(run, taken.holder, {
          delegation: delegation?.handle ?? null,
          startedAt: taken.startedAt?.getTime() ?? Date.now(),
          turns: await readTurns(db, taken.conversation),
          steps: await readSteps(db, run),
        })
      })
    },
  }

  async function transact<R>(work: (db: Kysely<Database>) => Promise<R>): Promise<R> {
    const bound = postgres.bind(owner, 'write')
    try {
      const result = await work(bound.db)
      await bound.commit()
      return result
    } finally {
      await bound.rollback()
    }
  }

  function heldRun(
    run: string,
    holder: number,
    stored: Pick<TakenRun, 'delegation' | 'startedAt' | 'turns' | 'steps'>,
  ): TakenRun {
    let steps = stored.steps.length
    const write = (work: (db: Kysely<Database>) => Promise<void>) =>
      transact(async (db) => {
        const held = await db
          .selectFrom('run')
          .select('id')
          .where('id', '=', run)
          .where('status', '=', 'RUNNING')
          .where('holder', '=', holder)
          .forUpdate()
          .executeTakeFirst()
        if (!held) throw new RunLost()
        await work(db)
      })

    return {
      ...stored,
      holder,
      async addStep(step) {
        await write((db) => insertStep(db, run, steps + 1, step))
        steps++
      },
      startCall: (id) =>
        write(async (db) => {
          await db
            .updateTable('tool_call')
            .set({ status: 'RUNNING', started_at: sql<Date>`coalesce(started_at, now())` })
            .where('id', '=', id)
            .execute()
          await addEvents(db, run, [{ kind: 'TOOL_CALL', call: id, status: 'RUNNING' }])
        }),
      settleCall: (id, { status, outcome }) =>
        write(async (db) => {
          await db
            .updateTable('tool_call')
            .set({ status, ...outcomeColumns(outcome), finished_at: sql<Date>`now()` })
            .where('id', '=', id)
            .execute()
          await addEvents(db, run, [{ kind: 'TOOL_CALL', call: id, status }])
        }),
      end: (end) =>
        transact(async (db) => {
          if (!(await endRun(db, run, holder, end))) throw new RunLost()
        }),
    }
  }
}

async function readTurns(db: Kysely<Database>, conversation: string): Promise<Turn[]> {
  const rows = await db
    .selectFrom('message')
    .select(['role', 'text'])
    .where('conversation_id', '=', conversation)
    .orderBy('position', 'desc')
    .limit(maxTurns)
    .execute()
  let length = 0
  const kept = rows.filter((row, index) => (length += row.text.length) <= maxTurnLength || index === 0)
  return kept.toReversed().map(({ role, text }) => ({ role: role === 'USER' ? 'user' : 'assistant', text }))
}

async function readSteps(db: Kysely<Database>, run: string): Promise<Step[]> {
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
  if (call.status === 'PROPOSED' || call.status === 'RUNNING') return null
  if (call.status === 'SUCCEEDED') return { ok: true, result: call.result, truncated: call.result_truncated }
  return { ok: false, error: { code: call.error_code ?? 'INTERNAL', message: call.error_message ?? '' } }
}

async function insertStep(db: Kysely<Database>, run: string, number: number, step: Step): Promise<void> {
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
        status: statusOf(call),
        ...(call.outcome === null ? {} : { ...outcomeColumns(call.outcome), finished_at: sql<Date>`now()` }),
      })),
    )
    .execute()
  await addEvents(
    db,
    run,
    calls.map((call) => ({ kind: 'TOOL_CALL', call: call.id, status: statusOf(call) })),
  )
}

function outcomeColumns(outcome: ToolOutcome) {
  return outcome.ok
    ? {
        result: JSON.stringify(outcome.result),
        result_truncated: outcome.truncated,
        error_code: null,
        error_message: null,
      }
    : { result: null, result_truncated: false, error_code: outcome.error.code, error_message: outcome.error.message }
}
