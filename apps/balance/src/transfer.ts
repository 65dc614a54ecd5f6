import { AppError, type ErrorCode } from '@behalf/identity'
import type { SubgraphContext } from '@behalf/subgraph'
import { sql } from 'kysely'
import type { Database } from './database.ts'
import type { TransferInput } from './generated/schema.ts'
import type { Transfer } from './models.ts'

type Context = SubgraphContext<Database>

/** What `transfer_to_payee` gives: nothing where there is no such payee. */
type Row = Transfer | { readonly id: null }

/** SQLSTATEs of `transfer_to_payee`. */
const codes: Readonly<Record<string, ErrorCode>> = {
  BH001: 'INSUFFICIENT_FUNDS',
  BH002: 'IDEMPOTENCY_MISMATCH',
  '22023': 'BAD_USER_INPUT',
}

/**
 * Moves money to one of the caller's payees, once for each key. An agent's call is its own key: it is approved and
 * performed once, whatever a model says.
 *
 * @throws {AppError} `INSUFFICIENT_FUNDS`, `IDEMPOTENCY_MISMATCH`, `BAD_USER_INPUT`
 */
export async function transfer(
  { payeeId, amount, idempotencyKey }: TransferInput,
  { db, identity }: Context,
): Promise<Transfer | null> {
  const key = identity.actor === null ? idempotencyKey : `call:${identity.actor.call}`
  if (!key || key.length > 128) throw new AppError('BAD_USER_INPUT', 'Send an "idempotencyKey" of 1 to 128 characters.')
  if (!/^\d{1,18}(\.\d{1,2})?$/.test(amount) || Number(amount) === 0)
    throw new AppError('BAD_USER_INPUT', 'An "amount" is positive, with at most two decimal places.')
  const { rows } = await sql<Row>`
    select id, user_id as "userId", payee_id as "payeeId", amount, currency, balance_after as "balanceAfter",
      booked_at as "bookedAt"
    from balance.transfer_to_payee(${payeeId}, ${amount}::numeric, ${identity.actor === null ? `user:${key}` : key})`
    .execute(db)
    .catch((error: unknown) => {
      const code = codes[sqlStateOf(error)]
      throw code === undefined ? error : new AppError(code, undefined, { cause: error })
    })
  const [made] = rows
  return made === undefined || made.id === null ? null : made
}

const sqlStateOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

/** Whom the caller paid: one of their own payees. */
export async function payeeOf({ payeeId }: { readonly payeeId: string }, { db }: Context) {
  const row = await db
    .selectFrom('payees')
    .select(['id', 'user_id as userId', 'name'])
    .where('id', '=', payeeId)
    .executeTakeFirst()
  return row ?? null
}
