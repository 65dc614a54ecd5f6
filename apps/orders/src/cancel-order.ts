import { AppError } from '@behalf/identity'
import type { SubgraphContext } from '@behalf/subgraph'
import type { Database } from './database.ts'

const longestReason = 200
const columns = ['id', 'user_id as userId', 'status', 'placed_at as placedAt', 'total', 'currency'] as const

/**
 * Calls off an order that no carrier has yet. Null for one that is not the caller's: row-level security shows and
 * changes their own only.
 *
 * @throws {AppError} `ORDER_NOT_CANCELLABLE`
 */
export async function cancelOrder(
  { orderId, reason }: { readonly orderId: string; readonly reason?: string | null },
  { db }: SubgraphContext<Database>,
) {
  const text = reason?.trim() || null
  if (text !== null && text.length > longestReason)
    throw new AppError('BAD_USER_INPUT', `"reason" has at most ${longestReason} characters.`)
  const cancelled = await db
    .updateTable('orders')
    .set({ status: 'CANCELLED', cancellation_reason: text })
    .where('id', '=', orderId)
    .where('status', 'in', ['PLACED', 'PROCESSING'])
    .returning(columns)
    .executeTakeFirst()
  if (cancelled) return cancelled
  const other = await db.selectFrom('orders').select('id').where('id', '=', orderId).executeTakeFirst()
  if (other) throw new AppError('ORDER_NOT_CANCELLABLE')
  return null
}
