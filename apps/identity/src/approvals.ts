import { AppError, type ApprovalState, type ErrorCode } from '@behalf/identity'
import { pageSize, type SubgraphContext } from '@behalf/subgraph'
import { sql } from 'kysely'
import type { Database } from './database.ts'

type Context = SubgraphContext<Database>

const state = sql<ApprovalState>`authority.approval_state(decision, used_at, ended_at, expires_at)`
const columns = [
  'id',
  'subject',
  'delegation as delegationId',
  'agent',
  'tool',
  'arguments_hash as argumentsHash',
  'summary',
  'created_at as createdAt',
  'expires_at as expiresAt',
  state.as('state'),
] as const

/** What agents ask a user for, the newest first; null to anybody else, support included. */
export async function approvalsOf(
  userId: string,
  { first, state: wanted }: { first?: number | null; state?: ApprovalState | null },
  { db, identity }: Context,
) {
  const size = pageSize(first)
  if (userId !== identity.subject) return null
  const all = db.selectFrom('authority.approval').select(columns).where('subject', '=', userId)
  const some = wanted == null ? all : all.where(state, '=', wanted)
  return some.orderBy('created_at', 'desc').orderBy('id').limit(size).execute()
}

/** Row-level security shows a person their own, and an agent none. */
export async function approvalById(id: string, { db }: Context) {
  const row = await db.selectFrom('authority.approval').select(columns).where('id', '=', id).executeTakeFirst()
  return row ?? null
}

export interface Resolution {
  readonly id: string
  readonly argumentsHash: string
  readonly decision: 'APPROVE' | 'REJECT'
}

/** Passes on how the caller decides, with their ticket: what the gateway will believe is that. */
export async function resolveApproval({ id, argumentsHash, decision }: Resolution, context: Context) {
  const { db, ticket, identity } = context
  if (ticket === null) throw new AppError('INTERNAL', undefined, { cause: 'no ticket for resolveApproval' })
  const { rows } = await sql<{ outcome: Extract<ErrorCode, `${'APPROVAL' | 'DELEGATION'}_${string}`> | 'OK' | null }>`
    select authority.resolve_approval(${id}, ${argumentsHash}, ${decision}, ${ticket}, ${identity.txn}::uuid) as outcome
  `.execute(db)
  const outcome = rows[0]?.outcome ?? null
  if (outcome === null) return null
  if (outcome !== 'OK') throw new AppError(outcome)
  return approvalById(id, context)
}
