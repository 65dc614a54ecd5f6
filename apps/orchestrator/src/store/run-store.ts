import { RunLost, stepTokens, type RunStore, type TakenRun, type Turn } from '@behalf/orchestration'
import type { Postgres, StoredCaller } from '@behalf/postgres'
import { sql, type Kysely } from 'kysely'
import { countTokens, defaultBudgets, hasTokensLeft, type Budgets } from '../budgets.ts'
import { activeStatuses, type Database } from '../database.ts'
import { enqueueWaiting, heardNow, holdDecisions } from '../queue/waiting-runs.ts'
import { runWaits } from '../run-watch.ts'
import { endRun } from './end-run.ts'
import { addEvents } from './run-events.ts'
import { storeWaiting } from './store-waiting.ts'
import { insertStep, outcomeColumns, readSteps } from './stored-steps.ts'

/** Texts of the conversation that a run is told, newest kept. */
const maxTurns = 40
const maxTurnLength = 60_000

/** The runs of one user. Each write is one transaction, in which it is seen that the run is still held. */
export function createRunStore(
  postgres: Postgres<Database>,
  owner: StoredCaller,
  budgets: Pick<Budgets, 'userTokens' | 'tenantTokens'> = defaultBudgets,
): RunStore {
  return {
    async take(run) {
      return transact(async (db) => {
        const taken = await db
          .updateTable('run')
          .set((eb) => ({
            status: 'RUNNING',
            holder: eb('holder', '+', 1),
            // The time in which it waited for its user does not count.
            started_at: sql<Date>`coalesce(started_at + (now() - coalesce(waiting_since, now())), now())`,
            waiting_since: null,
          }))
          .where('id', '=', run)
          .where('status', 'in', activeStatuses)
          .returning((eb) => [
            'holder',
            'conversation_id as conversation',
            'started_at as startedAt',
            eb.selectFrom('run_delegation').select('handle').whereRef('run_id', '=', 'run.id').as('delegation'),
            heardNow.as('heard'),
          ])
          .executeTakeFirst()
        if (!taken) return null
        const { holder, delegation, heard } = taken
        return heldRun(
          run,
          { holder, heard: BigInt(heard), hasBudget: await hasTokensLeft(db, owner, budgets) },
          {
            delegation,
            startedAt: taken.startedAt?.getTime() ?? Date.now(),
            turns: await readTurns(db, taken.conversation),
            // Nobody had it before: nobody stored any.
            steps: holder === 1 ? [] : await readSteps(db, run),
          },
        )
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
    { holder, heard, hasBudget }: { readonly holder: number; readonly heard: bigint; readonly hasBudget: boolean },
    stored: Pick<TakenRun, 'delegation' | 'startedAt' | 'turns' | 'steps'>,
  ): TakenRun {
    let steps = stored.steps.length
    let isWithinBudget = hasBudget
    const write = <R>(work: (db: Kysely<Database>) => Promise<R>) =>
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
        return work(db)
      })

    return {
      ...stored,
      holder,
      hasBudget: () => isWithinBudget,
      async addStep(step, { start, end } = {}) {
        await write(async (db) => {
          await insertStep(db, run, { number: steps + 1, step, start })
          isWithinBudget = await countTokens(db, owner, stepTokens(step), budgets)
          if (end && !(await endRun(db, run, holder, end))) throw new RunLost()
        })
        steps++
      },
      startCall: (id) =>
        write(async (db) => {
          await markStarted(db, id)
          await addEvents(db, run, [{ kind: 'TOOL_CALL', call: id, status: 'RUNNING' }])
        }),
      settleCall: (id, { status, outcome }, { start } = {}) =>
        write(async (db) => {
          await db
            .updateTable('tool_call')
            .set({ status, ...outcomeColumns(outcome), finished_at: sql<Date>`now()` })
            .where('id', '=', id)
            .execute()
          if (start !== undefined) await markStarted(db, start)
          await addEvents(db, run, [
            { kind: 'TOOL_CALL', call: id, status },
            ...(start === undefined ? [] : [{ kind: 'TOOL_CALL', call: start, status: 'RUNNING' } as const]),
          ])
        }),
      wait: (calls) =>
        write(async (db) => {
          if ((await holdDecisions(db)) !== heard) return false
          await storeWaiting(db, run, calls)
          await enqueueWaiting(
            db,
            { run, ...owner },
            Math.min(...calls.map(({ approval }) => Date.parse(approval.expiresAt))),
          )
          await sql`select pg_notify(${runWaits}, ${run})`.execute(db)
          return true
        }),
      end: (end) =>
        transact(async (db) => {
          if (!(await endRun(db, run, holder, end))) throw new RunLost()
        }),
    }
  }
}

async function markStarted(db: Kysely<Database>, call: string): Promise<void> {
  await db
    .updateTable('tool_call')
    .set({ status: 'RUNNING', started_at: sql<Date>`coalesce(started_at, now())` })
    .where('id', '=', call)
    .execute()
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
