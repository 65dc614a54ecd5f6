import { pageSize } from '../connection.ts'
import { trustDatabase, type TrustContext } from './trust-database.ts'

const columns = [
  'id',
  'subject',
  'agent',
  'client',
  'scopes',
  'created_at as createdAt',
  'expires_at as expiresAt',
  'last_used_at as lastUsedAt',
  'revoked_at as revokedAt',
] as const

/**
 * What a user lets agents do, the newest first; null to anybody else, support included. A migration of the subgraph says
 * `select authority.show_to('<its name>')`.
 */
export async function delegationsOf(userId: string, { first }: { first?: number | null }, context: TrustContext) {
  const size = pageSize(first)
  if (userId !== context.identity.subject) return null
  return trustDatabase(context)
    .selectFrom('authority.delegation')
    .select(columns)
    .where('subject', '=', userId)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .limit(size)
    .execute()
}

/** Row-level security lets this end the caller's own only. One that is over is answered as it is. */
export async function revokeDelegation(id: string, context: Pick<TrustContext, 'db'>) {
  await trustDatabase(context)
    .updateTable('authority.delegation')
    .set(({ fn }) => ({ revoked_at: fn<Date>('now') }))
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', ({ fn }) => fn<Date>('now'))
    .execute()
  return delegationById(id, context)
}

/** One of the caller's, or null. */
export async function delegationById(id: string, context: Pick<TrustContext, 'db'>) {
  const row = await trustDatabase(context)
    .selectFrom('authority.delegation')
    .select(columns)
    .where('id', '=', id)
    .executeTakeFirst()
  return row ?? null
}
