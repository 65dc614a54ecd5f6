import type { Statement } from '@behalf/postgres'
import { activeStatuses } from './database.ts'
import { queueSchema } from './queue/queue-migration.ts'

/** What a user and a tenant may use, of all their runs together. */
export interface Budgets {
  /** Runs of a user that are not over, those that wait for them included. */
  readonly userRuns: number
  /** Tokens of a user in a day (UTC). */
  readonly userTokens: number
  /** Tokens of a tenant in a day. */
  readonly tenantTokens: number
}

export const defaultBudgets: Budgets = Object.freeze({
  userRuns: 10,
  userTokens: 1_000_000,
  tenantTokens: 20_000_000,
})

interface Owner {
  readonly subject: string
  readonly tenant: string
}

const usage = `${queueSchema}.token_usage`
const today = `(now() at time zone 'utc')::date`

type Tokens = Pick<Budgets, 'userTokens' | 'tenantTokens'>

/**
 * Counts for both, in the transaction in which the step is stored: what a step cost is counted once, by whoever. Its rows, and
 * those of {@link usedStatement}, are for {@link hasTokensLeft}.
 */
export function countStatement({ subject, tenant }: Owner, tokens: number): Statement {
  if (tokens === 0) return usedStatement({ subject, tenant })
  return {
    name: 'tokens_count',
    // Always in this order, so that two that count at once do not wait for each other.
    text: `insert into ${usage} as u (tenant, subject, day, tokens)
      values ($1, $2, ${today}, $3), ($1, '', ${today}, $3)
      on conflict (tenant, subject, day) do update set tokens = u.tokens + excluded.tokens
      returning subject, tokens`,
    values: [tenant, subject, tokens],
  }
}

export const usedStatement = ({ subject, tenant }: Owner): Statement => ({
  name: 'tokens_used',
  text: `select subject, tokens from ${usage} where tenant = $1 and subject in ($2, '') and day = ${today}`,
  values: [tenant, subject],
})

/**
 * Known before each model request: as of when the run was taken, or its last step counted. What is under way is not counted yet: each run of a user may go beyond by one request.
 */
export const hasTokensLeft = (rows: readonly object[], owner: Owner, budgets: Tokens): boolean =>
  isWithin(rows as readonly Used[], owner, budgets)

/** For {@link hasRoom}: what was used, and how many runs of the user are not over, in one statement. */
export const roomStatement = ({ subject, tenant }: Owner): Statement => ({
  name: 'room',
  text: `select (select count(*) from run where status = any($1)) as runs,
    (select json_agg(u) from ${usage} u where tenant = $2 and subject in ($3, '') and day = ${today}) as used`,
  values: [activeStatuses, tenant, subject],
})

/** Whether a user may begin another run. */
export function hasRoom(rows: readonly object[], owner: Owner, budgets: Budgets): boolean {
  const [row] = rows as readonly { runs: string; used: readonly Used[] | null }[]
  return Number(row?.runs) < budgets.userRuns && isWithin(row?.used ?? [], owner, budgets)
}

interface Used {
  readonly subject: string
  readonly tokens: string
}

function isWithin(rows: readonly Used[], owner: Owner, budgets: Tokens): boolean {
  const used = new Map(rows.map(({ subject, tokens }) => [subject, Number(tokens)]))
  return (used.get(owner.subject) ?? 0) < budgets.userTokens && (used.get('') ?? 0) < budgets.tenantTokens
}
