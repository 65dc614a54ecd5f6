import { createHash, randomBytes } from 'node:crypto'
import { type AuditEvent, deepFreeze, type Delegation, type Ticket } from '@behalf/identity'
import { writeAuditEvent } from '@behalf/postgres'
import { sql, type Kysely, type Selectable } from 'kysely'
import type { Database, DelegationTable } from './database.ts'
import { useOnce } from './use-once.ts'

type Row = Pick<Selectable<DelegationTable>, (typeof granted)[number]>

/** All but the handle's hash and what happened to it since. */
const granted = [
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
        parent: grant.parent,
        expires_at: lifetime,
      })
      .returning(granted)
      .executeTakeFirstOrThrow()
    const delegation = delegationOf(row)
    await writeAuditEvent(trx, eventOf('delegation.made', delegation))
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

export async function revoke(db: Kysely<Database>, subject: string, id: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('delegation')
      .set({ revoked_at: sql`now()` })
      .where('id', '=', id)
      .where('subject', '=', subject)
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', sql<Date>`now()`)
      .returning(granted)
      .executeTakeFirst()
    if (row !== undefined) await writeAuditEvent(trx, eventOf('delegation.revoked', delegationOf(row)))
    return row !== undefined
  })
}

/** Of the request that granted it; of its end, which has none, that request is the parent. */
function eventOf(
  what: 'delegation.made' | 'delegation.revoked',
  { id, subject, tenant, agent, scopes, client, parent, expiresAt }: Delegation,
): AuditEvent {
  const isMade = what === 'delegation.made'
  return {
    txn: isMade ? parent : null,
    parent: isMade ? null : parent,
    time: new Date(),
    subject,
    tenant,
    actor: null,
    what,
    target: id,
    rule: isMade ? `@delegates(agent: "${agent}")` : null,
    outcome: 'OK',
    durationMs: null,
    detail: { agent, scopes, client, expiresAt },
  }
}

/** A handle has 256 random bits: a plain hash is enough. */
function hashOf(handle: string): Buffer {
  return createHash('sha256').update(handle).digest()
}

function delegationOf(row: Row): Delegation {
  const { auth_time, created_at, expires_at, ...rest } = row
  return deepFreeze({
    ...rest,
    authTime: auth_time === null ? null : Number(auth_time),
    createdAt: created_at,
    expiresAt: expires_at,
  })
}
