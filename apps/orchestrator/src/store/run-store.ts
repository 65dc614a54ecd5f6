import { RunLost, stepTokens, type RunStore, type TakenRun, type Turn } from '@behalf/orchestration'
import { type Postgres, queryTogether, type Statement, type StoredCaller } from '@behalf/postgres'
import { sql, type Kysely } from 'kysely'
import { type Budgets, countStatement, defaultBudgets, hasTokensLeft, usedStatement } from '../budgets.ts'
import { activeStatuses, type Database } from '../database.ts'
import { enqueueWaiting, heardNow, holdDecisions } from '../queue/waiting-runs.ts'
import { runWaits } from '../run-watch.ts'
import { endRun, endStatements } from './end-run.ts'
import { eventStatement } from './run-events.ts'
import { storeWaiting } from './store-waiting.ts'
import { readSteps, settleStatement, startStatement, stepStatements } from './stored-steps.ts'

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
      // Whoever takes it is the only one to write of it: its steps can be read after it is taken.
      const [[row] = [], used = [], turns = []] = await together(takeStatements(run, owner))
      if (row === undefined) return null
      const { holder, delegation, heard, started_at: startedAt } = row as TakenRow
      return heldRun(
        run,
        { holder, heard: BigInt(heard), hasBudget: hasTokensLeft(used, owner, budgets) },
        {
          delegation,
          startedAt: startedAt.getTime(),
          turns: turnsOf(turns as readonly TurnRow[]),
          // Nobody had it before: nobody stored any.
          steps: holder === 1 ? [] : await transact((db) => readSteps(db, run)),
        },
      )
    },
  }

  /** In one transaction and one round trip. */
  async function together(statements: readonly Statement[]): Promise<readonly (readonly object[])[]> {
    const bound = postgres.bind(owner, 'write')
    try {
      return await bound.commit(statements)
    } catch (error) {
      throw isLost(error) ? new RunLost() : error
    } finally {
      await bound.rollback()
    }
  }

  async function transact<R>(work: (db: Kysely<Database>) => Promise<R>): Promise<R> {
    const bound = postgres.bind(owner, 'write')
    try {
      const result = await work(bound.db)
      await bound.commit()
      return result
    } catch (error) {
      throw isLost(error) ? new RunLost() : error
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
    const held: Statement = { name: 'run_held', text: 'select hold_run($1, $2)', values: [run, holder] }

    return {
      ...stored,
      holder,
      hasBudget: () => isWithinBudget,
      async addStep(step, { start, end } = {}) {
        const [, used = []] = await together([
          held,
          countStatement(owner, stepTokens(step)),
          ...stepStatements(run, { number: steps + 1, step, start }),
          ...(end ? endStatements(run, holder, end) : []),
        ])
        isWithinBudget = hasTokensLeft(used, owner, budgets)
        steps++
      },
      async startCall(id) {
        await together([
          held,
          startStatement(id),
          eventStatement(run, [{ kind: 'TOOL_CALL', call: id, status: 'RUNNING' }]),
        ])
      },
      async settleCall(id, { status, outcome }, { start } = {}) {
        await together([
          held,
          settleStatement(id, status, outcome),
          ...(start === undefined ? [] : [startStatement(start)]),
          eventStatement(run, [
            { kind: 'TOOL_CALL', call: id, status },
            ...(start === undefined ? [] : [{ kind: 'TOOL_CALL', call: start, status: 'RUNNING' } as const]),
          ]),
        ])
      },
      wait: (calls) =>
        transact(async (db) => {
          await queryTogether(db, [held])
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

/** As `hold_run` says it. */
const isLost = (error: unknown) => (error as { readonly code?: unknown } | null)?.code === 'BH001'

interface TakenRow {
  readonly holder: number
  readonly started_at: Date
  readonly delegation: string | null
  readonly heard: string
}

interface TurnRow {
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
}

/** The run, what was used of its owner's budgets, and its conversation, the last text first. */
const takeStatements = (run: string, owner: StoredCaller): Statement[] => [
  {
    name: 'run_take',
    // The time in which it waited for its user does not count.
    text: `update run set status = 'RUNNING', holder = holder + 1, waiting_since = null,
        started_at = coalesce(started_at + (now() - coalesce(waiting_since, now())), now())
      where id = $1 and status = any($2)
      returning holder, started_at, (select handle from run_delegation where run_id = run.id) as delegation,
        ${heardNow} as heard`,
    values: [run, activeStatuses],
  },
  usedStatement(owner),
  {
    name: 'run_turns',
    text: `select role, text from message where conversation_id = (select conversation_id from run where id = $1)
      order by position desc limit ${maxTurns}`,
    values: [run],
  },
]

function turnsOf(rows: readonly TurnRow[]): Turn[] {
  let length = 0
  const kept = rows.filter((row, index) => (length += row.text.length) <= maxTurnLength || index === 0)
  return kept.toReversed().map(({ role, text }) => ({ role: role === 'USER' ? 'user' : 'assistant', text }))
}
