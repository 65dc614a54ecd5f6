import { randomBytes } from 'node:crypto'
import type { Delegation, DelegationGrant } from '@behalf/identity'
import { writeAuditEvent } from '@behalf/postgres'
import { sql, type Kysely } from 'kysely'
import type { Database } from './database.ts'
import { delegationOf, granted, grantedEvent, type GrantedRow, isRevoked } from './delegations.ts'

/** How long it is kept for a client that does not come back with another token. */
const lifetime = sql<Date>`now() + interval '30 days'`
const columns = sql.join(granted.map((column) => sql.ref(`d.${column}`)))

/** See `Authority.delegateToClient`. A token that was seen before costs one question. */
export async function delegateToClient(db: Kysely<Database>, grant: DelegationGrant): Promise<Delegation | null> {
  const known = await inForce(db, grant)
  if (known !== undefined) return delegationOf(known)
  return db
    .transaction()
    .execute(async (trx) => {
      const { created, ...row } = await makeOrRenew(trx, grant)
      // Asked again, after the row is ours: what was ended between the two questions is not made anew.
      if (await wasEnded(trx, grant)) throw new Ended()
      const delegation = delegationOf(row)
      await writeAuditEvent(trx, grantedEvent(delegation, { txn: grant.parent, rule: null, renewed: !created }))
      return delegation
    })
    .catch((error: unknown) => {
      if (error instanceof Ended) return null
      throw error
    })
}

/** Undoes the transaction. */
class Ended extends Error {}

const isOf = ({ issuer, subject, client, agent }: DelegationGrant) =>
  sql<boolean>`d.issuer = ${issuer} and d.subject = ${subject} and d.client = ${client} and d.agent = ${agent}
    and d.handle_hash is null`

/** When the user signed in for it, as far as their issuer says. */
const since = ({ authTime, issuedAt }: DelegationGrant) => authTime ?? issuedAt
const isEnded = (grant: DelegationGrant) =>
  sql<boolean>`(${isRevoked(grant)} or authority.client_was_ended(
    ${grant.issuer}, ${grant.subject}, ${grant.client}, ${grant.agent}, ${since(grant)}))`

/** One that this token, or a later one, made; notes its use at most once a minute. */
async function inForce(db: Kysely<Database>, grant: DelegationGrant): Promise<GrantedRow | undefined> {
  const { rows } = await sql<GrantedRow>`
    with known as (
      select ${columns}, d.last_used_at from authority.delegation d
      where ${isOf(grant)} and d.revoked_at is null and d.expires_at > now()
        and (d.issued_at > ${grant.issuedAt} or d.issued_at = ${grant.issuedAt} and d.scopes @> ${[...grant.scopes]}::text[])
        and not ${isEnded(grant)}
    ), noted as (
      update authority.delegation set last_used_at = now() from known
      where delegation.id = known.id
        and (known.last_used_at is null or known.last_used_at < now() - interval '1 minute')
    )
    select ${sql.join(granted.map((column) => sql.ref(column)))} from known`.execute(db)
  return rows[0]
}

/** What it may do at most is what its user granted last. */
async function makeOrRenew(
  db: Kysely<Database>,
  grant: DelegationGrant,
): Promise<GrantedRow & { readonly created: boolean }> {
  const id = `dlg_${randomBytes(16).toString('base64url')}`
  const { rows } = await sql<GrantedRow & { created: boolean }>`
    insert into authority.delegation as d (id, issuer, subject, tenant, agent, scopes, facts, client, session, auth_time,
      acr, issued_at, parent, expires_at, last_used_at)
    values (${id}, ${grant.issuer}, ${grant.subject}, ${grant.tenant}, ${grant.agent}, ${[...grant.scopes]}::text[],
      ${JSON.stringify(grant.facts)}::jsonb, ${grant.client}, ${grant.session}, ${grant.authTime}, ${grant.acr},
      ${grant.issuedAt}, ${grant.parent}, ${lifetime}, now())
    on conflict (issuer, subject, client, agent) where handle_hash is null and revoked_at is null
    do update set scopes = excluded.scopes, facts = excluded.facts, session = excluded.session,
      auth_time = excluded.auth_time, acr = excluded.acr, issued_at = excluded.issued_at,
      expires_at = excluded.expires_at, last_used_at = excluded.last_used_at
    returning ${columns}, d.xmax = 0 as created`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('A delegation was neither made nor renewed.')
  return row
}

async function wasEnded(db: Kysely<Database>, grant: DelegationGrant): Promise<boolean> {
  const { rows } = await sql<{ ended: boolean }>`select ${isEnded(grant)} as ended`.execute(db)
  return rows[0]?.ended !== false
}
