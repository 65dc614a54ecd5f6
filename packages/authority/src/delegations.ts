import { createHash, randomBytes } from 'node:crypto'
import { type AuditEvent, deepFreeze, type Delegation, type DelegationGrant, type Ticket } from '@behalf/identity'
import { writeAuditEvent } from '@behalf/postgres'
import { sql, type Kysely, type Selectable } from 'kysely'
import type { Database, DelegationTable } from './database.ts'
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

/** Times are the database's, so that all replicas have one clock. */
const lifetime = sql<Date>`now() + interval '15 minutes'`

/** In one transaction: either the ticket is used and the delegation is there, or neither. */
export async function redeem(
  db: Kysely<Database>,
  ticket: Ticket,
): Promise<{ handle: string; delegation: Delegation } | null> {
  const { grant } = ticket
  const handle = randomBytes(32).toString('base64url')
  return db.transaction().execute(async (trx) => {
    if (!(await useOnce(trx, 'used_ticket', ticket.id, ticket.expiresAt))) return null
    const { rows } = await sql<{ ended: boolean }>`select ${isRevoked(grant)} as ended`.execute(trx)
    if (rows[0]?.ended !== false) return null
    const row = await trx
      .insertInto('delegation')
      .values({
        id: `dlg_${randomBytes(16).toString('base64url')}`,
        handle_hash: hashOf(handle),
        issuer: grant.issuer,
        subject: grant.subject,
        tenant: grant.tenant,
        agent: grant.agent,
        scopes: [...grant.scopes],
        facts: JSON.stringify(grant.facts),
        client: grant.client,
        session: grant.session,
        auth_time: grant.authTime,
        acr: grant.acr,
        issued_at: grant.issuedAt,
        parent: grant.parent,
        expires_at: lifetime,
      })
      .returning(granted)
      .executeTakeFirstOrThrow()
    const delegation = delegationOf(row)
    await writeAuditEvent(trx, grantedEvent(delegation))
    return { handle, delegation }
  })
}

/** Reads what is still in force, and notes its use at most once a minute, so that a busy run writes little. */
export async function use(db: Kysely<Database>, handle: string, agents: readonly string[]): Promise<Delegation | null> {
  const inForce = db
    .selectFrom('delegation')
    .select([...granted, 'last_used_at'])
    .where('handle_hash', '=', hashOf(handle))
    .where('agent', '=', (eb) => eb.fn.any(eb.val([...agents])))
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', sql<Date>`now()`)
    .where(sql<boolean>`not authority.is_revoked(issuer, subject, session, issued_at)`)
  const row = await db
    .with('in_force', () => inForce)
    .with('noted', (q) =>
      q
        .updateTable('delegation')
        .set({ last_used_at: sql`now()` })
        .from('in_force')
        .whereRef('delegation.id', '=', 'in_force.id')
        .where((eb) =>
          eb.or([
            eb('in_force.last_used_at', 'is', null),
            eb('in_force.last_used_at', '<', sql<Date>`now() - interval '1 minute'`),
          ]),
        ),
    )
    .selectFrom('in_force')
    .select(granted)
    .executeTakeFirst()
  return row === undefined ? null : delegationOf(row)
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
