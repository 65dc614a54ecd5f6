import type { AuditEvent } from '@behalf/identity'
import { type Kysely, sql } from 'kysely'

const columns = 'txn, parent, at, subject, tenant, actor, what, target, rule, outcome, duration_ms'

/**
 * Any number of events in one statement, as a JSON text; `id` and `source` are the database's to say.
 *
 * @param detail - an expression in the place of what is written of an event's
 * @param also - whatever else of the same statement is named in it; without a row of it nothing is recorded
 */
export const insertAuditSql = (json: string, detail = 'detail', also?: string): string => `
  insert into behalf.audit_event (${columns}, detail)
  select ${columns}, ${detail}
  from json_to_recordset(${json}) as event (txn uuid, parent uuid, at timestamptz, subject text, tenant text, actor text,
    what text, target text, rule text, outcome text, duration_ms real, detail jsonb)${also === undefined ? '' : `, ${also}`}`

/** Events as {@link insertAuditSql} takes them. */
export const auditJson = (events: readonly AuditEvent[]): string => JSON.stringify(events.map(toRow))

function toRow({ time, durationMs, ...rest }: AuditEvent) {
  return { ...rest, at: time.toISOString(), duration_ms: durationMs }
}

/**
 * Writes an event in the transaction of what it is about: both happen, or neither.
 *
 * @throws the database's error, after which the transaction has to be rolled back
 */
export async function writeAuditEvent<Tables>(transaction: Kysely<Tables>, event: AuditEvent): Promise<void> {
  const [before = '', after = ''] = insertAuditSql('\0').split('\0')
  await sql`${sql.raw(before)}${auditJson([event])}${sql.raw(after)}`.execute(transaction)
}
