import { randomBytes } from 'node:crypto'
import {
  type ApprovalProof,
  type ApprovalRequest,
  type ApprovalState,
  deepFreeze,
  type DelegationGrant,
  type ResolvedApproval,
  type StoredApproval,
} from '@behalf/identity'
import { writeAuditEvent } from '@behalf/postgres'
import { sql, type Kysely } from 'kysely'
import type { Database } from './database.ts'
import { grantedEvent, hashOf, isRevoked } from './delegations.ts'

interface Row extends ProofRow {
  readonly summary: string
  readonly state: ApprovalState
  readonly expiresAt: Date
}

interface ProofRow {
  readonly id: string
  readonly argumentsHash: string
  readonly delegation: string
  readonly subject: string
  readonly agent: string
  readonly ticket: string | null
  readonly resolver: string | null
  readonly resolvedAt: Date | null
}

const proofColumns = sql`a.id, a.arguments_hash as "argumentsHash", a.delegation, a.subject, a.agent, a.ticket, a.resolver, a.resolved_at as "resolvedAt"`
const state = sql`authority.approval_state(a.decision, a.used_at, a.ended_at, a.expires_at)`
const inForce = sql`d.revoked_at is null and not authority.is_revoked(d.issuer, d.subject, d.session, d.issued_at)`
/** As long as a delegation lives. */
const renewedFor = sql`interval '15 minutes'`

/** See `Approvals.ask`. Whoever asks second for the same call waits for the first, and finds what that one made. */
export async function ask(db: Kysely<Database>, request: ApprovalRequest): Promise<StoredApproval | null> {
  const { delegation, run, call, tool, toolVersion, argumentsHash, summary, txn } = request
  const id = `apr_${randomBytes(16).toString('base64url')}`
  await sql`
    insert into authority.approval (id, delegation, subject, tenant, agent, parent, run, call, tool, tool_version,
      arguments_hash, summary, asked_in)
    select ${id}, d.id, d.subject, d.tenant, d.agent, d.parent::uuid, ${run}, ${call}, ${tool}, ${toolVersion},
      ${argumentsHash}, ${summary}, ${txn}::uuid
    from authority.delegation d where d.id = ${delegation} and d.expires_at > now() and ${inForce}
    on conflict (delegation, call) do nothing`.execute(db)
  const { rows } = await sql<Row>`
    select a.summary, ${state} as state, a.expires_at as "expiresAt",
      ${proofColumns}
    from authority.approval a where a.delegation = ${delegation} and a.call = ${call}`.execute(db)
  const [row] = rows
  if (row === undefined) return null
  const { id: found, argumentsHash: hash, summary: text, state: now, expiresAt } = row
  return deepFreeze({ id: found, argumentsHash: hash, summary: text, state: now, expiresAt, proof: proofOf(row) })
}

/** See `Approvals.standing`. Equal calls have the hash in their id, and a number: that of those before it. */
export async function standing(
  db: Kysely<Database>,
  { delegation, argumentsHash }: Pick<ApprovalRequest, 'delegation' | 'argumentsHash'>,
): Promise<string> {
  const { rows } = await sql<{ call: string; stands: boolean; number: string }>`
    select a.call, count(*) over () as number, case ${state}
        when 'PENDING' then true when 'APPROVED' then true
        when 'REJECTED' then a.expires_at > now()
        when 'USED' then a.used_at > now() - interval '15 minutes'
        else false end as stands
    from authority.approval a
    where a.delegation = ${delegation} and a.arguments_hash = ${argumentsHash}
    order by a.created_at desc, length(a.call) desc, a.call desc limit 1`.execute(db)
  const [latest] = rows
  return latest?.stands ? latest.call : `same_${argumentsHash}_${latest?.number ?? 0}`
}

/** See `Approvals.use`. Of any number at once, one takes it. */
export async function use(db: Kysely<Database>, id: string, txn: string): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update authority.approval a set used_at = now(), used_in = ${txn}::uuid
    from authority.delegation d
    where a.id = ${id} and d.id = a.delegation and ${inForce} and ${state} = 'APPROVED'`.execute(db)
  if (numAffectedRows === 1n) return true
  const { rows } = await sql<{ mine: boolean }>`
    select a.used_at > now() - interval '15 minutes' as mine from authority.approval a
    where a.id = ${id} and ${state} = 'USED'`.execute(db)
  return rows[0]?.mine ?? false
}

/** See `Approvals.renewable`. A rejection renews nothing. */
export async function renewable(
  db: Kysely<Database>,
  handle: string,
  agents: readonly string[],
): Promise<ApprovalProof | null> {
  const { rows } = await sql<ProofRow>`
    select ${proofColumns} from authority.delegation d join authority.approval a on a.delegation = d.id
    where d.handle_hash = ${hashOf(handle)} and d.agent = any(${[...agents]}) and ${inForce}
    and a.decision = 'APPROVE' and a.ended_at is null and a.resolved_at + ${renewedFor} > greatest(d.expires_at, now())
    order by a.resolved_at desc limit 1`.execute(db)
  return rows[0] ? proofOf(rows[0]) : null
}

/** See `Approvals.renew`. Of two, the later one stays, in whichever order they come. */
export async function renew(db: Kysely<Database>, proof: ApprovalProof, grant: DelegationGrant): Promise<void> {
  const until = sql<Date>`${proof.resolvedAt}::timestamptz + ${renewedFor}`
  await db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('delegation')
      .set({
        issuer: grant.issuer,
        scopes: [...grant.scopes],
        facts: JSON.stringify(grant.facts),
        client: grant.client,
        session: grant.session,
        auth_time: grant.authTime,
        acr: grant.acr,
        issued_at: grant.issuedAt,
        expires_at: until,
      })
      .where('id', '=', proof.delegation)
      .where('subject', '=', grant.subject)
      .where('tenant', '=', grant.tenant)
      .where('agent', '=', grant.agent)
      .where('revoked_at', 'is', null)
      .where('expires_at', '<', until)
      .where(sql<boolean>`not ${isRevoked(grant)}`)
      .returning(['expires_at'])
      .executeTakeFirst()
    if (row) {
      await writeAuditEvent(
        trx,
        grantedEvent({ ...grant, id: proof.delegation, expiresAt: row.expires_at }, { renewed: true }),
      )
    }
  })
}

/** What happened after `after`, in the order in which it became visible; at most 100. */
export async function readResolved(
  db: Kysely<Database>,
  after: number,
  agents: readonly string[],
): Promise<readonly ResolvedApproval[]> {
  const { rows } = await sql<Omit<ResolvedApproval, 'sequence'> & { readonly sequence: string }>`
    select a.sequence, a.id as approval, a.run, a.call, ${state} as state from authority.approval a
    where a.sequence > ${after} and a.agent = any(${[...agents]}) order by a.sequence limit 100`.execute(db)
  return rows.map((row) => ({ ...row, sequence: Number(row.sequence) }))
}

function proofOf(row: ProofRow): ApprovalProof | null {
  const { id: approval, argumentsHash, delegation, subject, agent, ticket, resolver, resolvedAt } = row
  if (ticket === null || resolver === null || resolvedAt === null) return null
  return { delegation, subject, agent, approval, argumentsHash, ticket, resolver, resolvedAt }
}
