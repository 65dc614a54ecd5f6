import { AppError } from '@behalf/identity'
import type { NotNull } from 'kysely'
import { readConnection, type ConnectionArguments, type Page } from '../connection.ts'
import { trustDatabase, type TrustContext, type TrustDatabase } from './trust-database.ts'

const columns = [
  'id',
  'source',
  'txn',
  'parent',
  'at',
  'subject',
  'actor',
  'what',
  'target',
  'rule',
  'outcome',
  'duration_ms as durationMs',
] as const

/** Row-level security shows a person their own, and an agent none. */
function eventsOf(db: TrustDatabase, subject: string, { limit, position }: Page) {
  let query = db.selectFrom('behalf.audit_event').select(columns).where('subject', '=', subject)
  if (position !== null) {
    if (!/^\d{1,18}$/.test(position.id)) throw new AppError('BAD_USER_INPUT', '"after" is not a cursor of this list.')
    query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), '<', tuple(position.at, position.id)))
  }
  return query.orderBy('at', 'desc').orderBy('id', 'desc').limit(limit).$narrowType<{ subject: NotNull }>().execute()
}

/**
 * Resolves a user's `auditEvents`: the caller's own, newest first; of nobody else, whoever asks. A migration of the subgraph
 * says `select behalf.show_audit_to('<its name>')`.
 */
export async function auditEvents(user: { readonly id: string }, page: ConnectionArguments, context: TrustContext) {
  if (user.id !== context.identity.subject) return null
  return readConnection(
    page,
    (wanted) => eventsOf(trustDatabase(context), user.id, wanted),
    ({ at, id }) => ({ at, id }),
  )
}
