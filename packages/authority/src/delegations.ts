import { createHash, randomBytes } from 'node:crypto'
import {
  type AuditEvent,
  deepFreeze,
  type Delegation,
  type DelegationGrant,
  type Ticket,
  type UsedDelegation,
} from '@behalf/identity'
import { auditJson, insertAuditSql } from '@behalf/postgres'
import { sql, type Selectable } from 'kysely'
import type { Pool } from 'pg'
import type { DelegationTable } from './database.ts'
import { statement } from './statement.ts'
import { withUsed } from './use-once.ts'

export type GrantedRow = Pick<Selectable<DelegationTable>, (typeof granted)[number]>

/** All but the handle's hash and what happened to it since. */
export const granted = [
  'id',
  'issuer',
  'subject',
  'tenant',
  'agent',
  'scopes',
  'facts',
  'client',
  'session',
  'auth_time',
  'acr',
  'issued_at',
  'parent',
  'created_at',
  'expires_at',
] as const

/** In one statement: either the ticket is used, the delegation is there and it is recorded, or nothing of it. */
export async function redeem(pool: Pool, ticket: Ticket): Promise<{ handle: string; delegation: Delegation } | null> {
  const { grant } = ticket
  const handle = randomBytes(32).toString('base64url')
  const id = `dlg_${randomBytes(16).toString('base64url')}`
  const [row] = await grantStatement(
    pool,
    ticket.id,
    ticket.expiresAt,
    id,
    hashOf(handle),
    grant.issuer,
    grant.subject,
    grant.tenant,
    grant.agent,
    grant.scopes,
    JSON.stringify(grant.facts),
    grant.client,
    grant.session,
    grant.authTime,
    grant.acr,
    grant.issuedAt,
    grant.parent,
    // When it ends, the database says.
    auditJson([grantedEvent({ ...grant, id, expiresAt: null })]),
  )
  return row === undefined ? null : { handle, delegation: delegationOf(row) }
}

/** Of a ticket whose user was not ended since. Times are the database's, so that all replicas have one clock. */
const grantStatement = statement<GrantedRow>(
  'redeem',
  `${withUsed('used_ticket')}, made as (
    insert into authority.delegation (id, handle_hash, issuer, subject, tenant, agent, scopes, facts, client, session,
      auth_time, acr, issued_at, parent, expires_at)
    select $3, $4, $5, $6, $7, $8, $9::text[], $10::jsonb, $11, $12, $13::bigint, $14, $15::bigint, $16,
      now() + interval '15 minutes'
    from used where not authority.is_revoked($5, $6, $12, $15::bigint)
    returning ${granted.join()}
  ), recorded as (
    ${insertAuditSql(
      '$17',
      `detail || jsonb_build_object('expiresAt', to_char(expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`,
      '(select expires_at from made) made',
    )}
  )
  select ${granted.join()} from made`,
)

/** What is in force of a handle's hash, for one of these agents: see {@link use}. */
const withInForce = (hash: string, agents: string, where = 'true') => `
  in_force as (
    select ${granted.join()}, last_used_at from authority.delegation
    where ${where} and handle_hash = ${hash} and agent = any(${agents}) and revoked_at is null and expires_at > now()
    and not authority.is_revoked(issuer, subject, session, issued_at)
  ), noted as (
    update authority.delegation d set last_used_at = now() from in_force f
    where d.id = f.id and (f.last_used_at is null or f.last_used_at < now() - interval '1 minute')
  ), found as (
    select ${granted.join()}, exists (
      select from authority.approval a where a.delegation = f.id and a.decision = 'APPROVE' and a.ended_at is null
      and a.resolved_at + interval '15 minutes' > f.expires_at
    ) as renewable from in_force f
  )`

interface UsedRow extends GrantedRow {
  readonly renewable: boolean
}

const useStatement = statement<UsedRow>('use_delegation', `with ${withInForce('$1', '$2')} select * from found`)

const consumeAndUseStatement = statement<{ readonly found: boolean | null } & UsedRow>(
  'use_token_and_delegation',
  `${withUsed('used_workload_token')}, ${withInForce('$3', '$4', 'exists (select from used)')}
  select found.*, found.id is not null as found from used left join found on true`,
)

/**
 * Reads what is still in force, and notes its use at most once a minute, so that a busy run writes little. In the same
 * statement, whether `Approvals.renewable` has something for it: hardly ever, so that nobody asks for nothing.
 */
export async function use(pool: Pool, handle: string, agents: readonly string[]): Promise<UsedDelegation | null> {
  const [row] = await useStatement(pool, hashOf(handle), agents)
  return row === undefined ? null : usedOf(row)
}

/** `useToken` and {@link use} in one statement; null where the token was used before. */
export async function consumeAndUse(
  pool: Pool,
  token: { readonly id: string; readonly expiresAt: Date },
  handle: string,
  agents: readonly string[],
): Promise<{ readonly delegation: UsedDelegation | null } | null> {
  const [row] = await consumeAndUseStatement(pool, token.id, token.expiresAt, hashOf(handle), agents)
  if (row === undefined) return null
  const { found, ...delegation } = row
  return { delegation: found === true ? usedOf(delegation) : null }
}

const usedOf = ({ renewable: isRenewable, ...row }: UsedRow): UsedDelegation =>
  Object.freeze({ ...delegationOf(row), isRenewable })

/** Asked of the database and not of memory: a ticket or delegation that has ended is refused by every replica at once. */
export const isRevoked = ({
  issuer,
  subject,
  session,
  issuedAt,
}: Pick<DelegationGrant, 'issuer' | 'subject' | 'session' | 'issuedAt'>) =>
  sql<boolean>`authority.is_revoked(${issuer}, ${subject}, ${session}, ${issuedAt})`

/**
 * Of the request that granted or renewed it: by the rule of a field, or by showing a token. Its end is recorded by a trigger,
 * whoever ends it.
 */
export function grantedEvent(
  {
    id,
    subject,
    tenant,
    agent,
    scopes,
    client,
    parent,
    expiresAt,
  }: Omit<Delegation, 'createdAt' | 'expiresAt'> & {
    readonly expiresAt: Date | null
  },
  {
    txn = parent,
    rule = `@delegates(agent: "${agent}")`,
    renewed = false,
  }: { readonly txn?: string; readonly rule?: string | null; readonly renewed?: boolean } = {},
): AuditEvent {
  return {
    txn,
    parent: null,
    time: new Date(),
    subject,
    tenant,
    actor: null,
    what: 'delegation.made',
    target: id,
    rule,
    outcome: 'OK',
    durationMs: null,
    detail: { agent, scopes, client, expiresAt, ...(renewed && { renewed }) },
  }
}

/** A handle has 256 random bits: a plain hash is enough. */
export function hashOf(handle: string): Buffer {
  return createHash('sha256').update(handle).digest()
}

export function delegationOf(row: GrantedRow): Delegation {
  const { auth_time, issued_at, created_at, expires_at, ...rest } = row
  return deepFreeze({
    ...rest,
    authTime: auth_time === null ? null : Number(auth_time),
    issuedAt: Number(issued_at),
    createdAt: created_at,
    expiresAt: expires_at,
  })
}
