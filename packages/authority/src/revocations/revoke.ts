import type { RevocationReason, Revoked } from '@behalf/identity'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../database.ts'

/** See `Authority.revoke`. Triggers do the rest: the order, the notification, the delegations that end with it. */
export async function revoke(db: Kysely<Database>, revoked: Revoked, reason: RevocationReason): Promise<boolean> {
  switch (revoked.kind) {
    case 'subject': {
      const { issuer, subject } = revoked
      const { numAffectedRows } = await sql`
        insert into authority.revocation (issuer, subject, reason)
        select ${issuer}::text, ${subject}::text, ${reason}::text
        where exists (select from authority.subject s where s.subject = ${subject}
          and (${issuer}::text is null or s.issuer = ${issuer}))
        or exists (select from authority.delegation d where d.subject = ${subject} and d.expires_at > now()
          and (${issuer}::text is null or d.issuer = ${issuer}))`.execute(db)
      return numAffectedRows === 1n
    }
    case 'session': {
      const { issuer, session } = revoked
      const { numAffectedRows } = await sql`
        insert into authority.revocation (issuer, session, reason)
        select ${issuer}::text, ${session}::text, ${reason}::text
        where exists (select from authority.subject s where s.issuer = ${issuer})`.execute(db)
      return numAffectedRows === 1n
    }
    case 'delegation': {
      const { numUpdatedRows } = await db
        .updateTable('delegation')
        .set({ revoked_at: sql`now()`, revocation_reason: reason })
        .where('id', '=', revoked.delegation)
        .where('revoked_at', 'is', null)
        .where('expires_at', '>', sql<Date>`now()`)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    }
  }
}
