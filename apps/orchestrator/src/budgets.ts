import { sql, type Kysely } from 'kysely'
import { activeStatuses, type Database } from './database.ts'
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

const usage = sql.raw(`${queueSchema}.token_usage`)
const today = sql`(now() at time zone 'utc')::date`

type Tokens = Pick<Budgets, 'userTokens' | 'tenantTokens'>

/**
 * Counts for both, in the transaction in which the step is stored: what a step cost is counted once, by whoever.
 *
 * @returns what {@link hasTokensLeft} says then
 */
export async function countTokens<Tables>(
  db: Kysely<Tables>,
  owner: Owner,
  tokens: number,
  budgets: Tokens,
): Promise<boolean> {
  if (tokens === 0) return hasTokensLeft(db, owner, budgets)
  // Always in this order, so that two that count at once do not wait for each other.
  const { rows } = await sql<Used>`insert into ${usage} as u (tenant, subject, day, tokens)
    values (${owner.tenant}, ${owner.subject}, ${today}, ${tokens}), (${owner.tenant}, '', ${today}, ${tokens})
    on conflict (tenant, subject, day) do update set tokens = u.tokens + excluded.tokens
    returning subject, tokens`.execute(db)
  return isWithin(rows, owner, budgets)
}

/**
 * Known before each model request: as of when the run was taken, or its last step counted. What is under way is not counted yet: each run of a user may go beyond by one request.
 */
export async function hasTokensLeft<Tables>(db: Kysely<Tables>, owner: Owner, budgets: Tokens): Promise<boolean> {
  const { rows } = await sql<Used>`select subject, tokens from ${usage}
    where tenant = ${owner.tenant} and subject in (${owner.subject}, '') and day = ${today}`.execute(db)
  return isWithin(rows, owner, budgets)
}

/** Whether a user may begin another run: {@link hasTokensLeft}, and how many of theirs are not over, in one statement. */
export async function hasRoom(db: Kysely<Database>, owner: Owner, budgets: Budgets): Promise<boolean> {
  const { rows } = await sql<{ runs: string; used: readonly Used[] | null }>`select
    (select count(*) from run where status = any(${activeStatuses})) as runs,
    (select json_agg(u) from ${usage} u
     where tenant = ${owner.tenant} and subject in (${owner.subject}, '') and day = ${today}) as used`.execute(db)
  const [row] = rows
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
