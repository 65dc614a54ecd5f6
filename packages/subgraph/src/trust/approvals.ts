import { AppError, type ApprovalState, type ErrorCode } from '@behalf/identity'
import { sql } from 'kysely'
import { pageSize } from '../connection.ts'
import { trustDatabase, type TrustContext } from './trust-database.ts'

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

/**
 * What agents ask a user for, the newest first; null to anybody else, support included. A migration of the subgraph says
 * `select authority.show_approvals_to('<its name>')`.
 */
export async function approvalsOf(
  userId: string,
  { first, state: wanted }: { first?: number | null; state?: ApprovalState | null },
  context: TrustContext,
) {
  const size = pageSize(first)
  if (userId !== context.identity.subject) return null
  const all = trustDatabase(context).selectFrom('authority.approval').select(columns).where('subject', '=', userId)
  const some = wanted == null ? all : all.where(state, '=', wanted)
  return some.orderBy('created_at', 'desc').orderBy('id').limit(size).execute()
}

/** Row-level security shows a person their own, and an agent none. */
export async function approvalById(id: string, context: Pick<TrustContext, 'db'>) {
  const row = await trustDatabase(context)
    .selectFrom('authority.approval')
    .select(columns)
    .where('id', '=', id)
    .executeTakeFirst()
  return row ?? null
}

export interface Resolution {
  readonly id: string
  readonly argumentsHash: string
  readonly decision: 'APPROVE' | 'REJECT'
}

/**
 * Resolves a Mutation field with `@approves`: passes on how the caller decides, with their ticket. What the gateway will
 * believe is that.
 *
 * @throws {AppError} `APPROVAL_UNKNOWN`, `APPROVAL_MISMATCH`, `APPROVAL_ALREADY_RESOLVED`, `APPROVAL_EXPIRED`,
 *   `DELEGATION_ENDED`
 */
export async function resolveApproval({ id, argumentsHash, decision }: Resolution, context: TrustContext) {
  const { ticket, identity } = context
  if (ticket === null) throw new AppError('INTERNAL', undefined, { cause: 'no ticket for resolveApproval' })
  const { rows } = await sql<{ outcome: Extract<ErrorCode, `${'APPROVAL' | 'DELEGATION'}_${string}`> | 'OK' | null }>`
    select authority.resolve_approval(${id}, ${argumentsHash}, ${decision}, ${ticket}, ${identity.txn}::uuid) as outcome
  `.execute(trustDatabase(context))
  const outcome = rows[0]?.outcome ?? null
  if (outcome === null) throw new AppError('APPROVAL_UNKNOWN')
  if (outcome !== 'OK') throw new AppError(outcome)
  return approvalById(id, context)
}
