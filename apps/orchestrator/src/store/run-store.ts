import { RunLost, stepTokens, type RunStore, type TakenRun, type Turn } from '@behalf/orchestration'
import type { Postgres, StoredCaller } from '@behalf/postgres'
import { sql, type Kysely } from 'kysely'
import { countTokens, defaultBudgets, hasTokensLeft, type Budgets } from '../budgets.ts'
import { activeStatuses, type Database } from '../database.ts'
import { decisionsHeard, enqueueWaiting } from '../queue/waiting-runs.ts'
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
          .returning(['holder', 'conversation_id as conversation', 'started_at as startedAt'])
          .executeTakeFirst()
        if (!taken) return null
        const delegation = await db
          .selectFrom('run_delegation')
          .select('handle')
          .where('run_id', '=', run)
          .executeTakeFirst()
        const heard = await decisionsHeard(db)
        return heldRun(
          run,
          { holder: taken.holder, heard },
          {
            delegation: delegation?.handle ?? null,
            startedAt: taken.startedAt?.getTime() ?? Date.now(),
            turns: await readTurns(db, taken.conversation),
            steps: await readSteps(db, run),
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
    { holder, heard }: { readonly holder: number; readonly heard: bigint },
    stored: Pick<TakenRun, 'delegation' | 'startedAt' | 'turns' | 'steps'>,
  ): TakenRun {
    let steps = stored.steps.length
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
      hasBudget: () => transact((db) => hasTokensLeft(db, owner, budgets)),
      async addStep(step) {
        await write(async (db) => {
          await insertStep(db, run, steps + 1, step)
          await countTokens(db, owner, stepTokens(step))
        })
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
      wait: (calls) =>
        write(async (db) => {
          if ((await decisionsHeard(db, 'and hold')) !== heard) return false
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
