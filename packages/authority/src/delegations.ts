import { createHash, randomBytes } from 'node:crypto'
import {
  type AuditEvent,
  deepFreeze,
  type Delegation,
  type DelegationGrant,
  type Ticket,
  type UsedDelegation,
} from '@behalf/identity'
import { writeAuditEvent } from '@behalf/postgres'
import { sql, type Kysely, type Selectable } from 'kysely'
import type { Database, DelegationTable } from './database.ts'
import { statement } from './statement.ts'
import { useOnce } from './use-once.ts'

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

/** In one transaction: either the ticket is used and the delegation is there, or neither. */
export async function redeem(
  db: Kysely<Database>,
  ticket: Ticket,
): Promise<{ handle: string; delegation: Delegation } | null> {
  const { grant } = ticket
  const handle = randomBytes(32).toString('base64url')
  return db.transaction().execute(async (trx) => {
    if (!(await useOnce(trx, 'used_ticket', ticket.id, ticket.expiresAt))) return null
    const { rows } = await grantStatement(
      trx,
      `dlg_${randomBytes(16).toString('base64url')}`,
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
    )
    const [row] = rows
    if (row === undefined) return null
    const delegation = delegationOf(row)
    await writeAuditEvent(trx, grantedEvent(delegation))
    return { handle, delegation }
  })
}

/** Of a ticket whose user was not ended since. Times are the database's, so that all replicas have one clock. */
const grantStatement = statement<GrantedRow>(`
  insert into authority.delegation (id, handle_hash, issuer, subject, tenant, agent, scopes, facts, client, session,
    auth_time, acr, issued_at, parent, expires_at)
  select $1, $2, $3, $4, $5, $6, $7::text[], $8::jsonb, $9, $10, $11::bigint, $12, $13::bigint, $14,
    now() + interval '15 minutes'
  where not authority.is_revoked($3, $4, $10, $13::bigint)
  returning ${granted.join()}`)

const useStatement = statement<GrantedRow & { readonly renewable: boolean }>(`
  with in_force as (
    select ${granted.join()}, last_used_at from authority.delegation
    where handle_hash = $1 and agent = any($2) and revoked_at is null and expires_at > now()
    and not authority.is_revoked(issuer, subject, session, issued_at)
  ), noted as (
    update authority.delegation d set last_used_at = now() from in_force f
    where d.id = f.id and (f.last_used_at is null or f.last_used_at < now() - interval '1 minute')
  )
  select ${granted.join()}, exists (
    select from authority.approval a where a.delegation = f.id and a.decision = 'APPROVE' and a.ended_at is null
    and a.resolved_at + interval '15 minutes' > f.expires_at
  ) as renewable from in_force f`)

/**
 * Reads what is still in force, and notes its use at most once a minute, so that a busy run writes little. In the same
 * statement, whether `Approvals.renewable` has something for it: hardly ever, so that nobody asks for nothing.
 */
export async function use(
  db: Kysely<Database>,
  handle: string,
  agents: readonly string[],
): Promise<UsedDelegation | null> {
  const { rows } = await useStatement(db, hashOf(handle), agents)
  const [row] = rows
  if (row === undefined) return null
  const { renewable: isRenewable, ...of } = row
  return Object.freeze({ ...delegationOf(of), isRenewable })
}

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
  { id, subject, tenant, agent, scopes, client, parent, expiresAt }: Omit<Delegation, 'createdAt'>,
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
