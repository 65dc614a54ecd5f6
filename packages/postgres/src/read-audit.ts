import type { AuditEvent } from '@behalf/identity'
import pg from 'pg'

/** An event as it is kept. */
export interface StoredAuditEvent extends AuditEvent {
  /** Counts up, by the order of writing. */
  readonly id: string
  /** The role that wrote it, such as `gateway` or `orders`. */
  readonly source: string
}

/**
 * A transaction has a few dozen; whoever writes more, or makes circles of parents, is not read for ever. An app can write
 * any number that refer to any transaction, and say of them any time: what the gateway wrote is not lost among them.
 */
const maxEvents = 10_000

/**
 * Each way to an event is asked on its own: an "or" of both reads the whole log. And for each transaction of the family
 * (`offset 0` keeps it so): there are few of them, which the planner cannot know.
 */
export const familySql = `
  with recursive family (txn) as (
    select $1::uuid
    union
    select e.txn from behalf.audit_event e join family f on e.parent = f.txn where e.txn is not null
  ), found as (
    select e.* from family f, lateral (select * from behalf.audit_event where txn = f.txn offset 0) e
    union all
    select e.* from family f, lateral (select * from behalf.audit_event where parent = f.txn and txn is null offset 0) e
  )
  select * from (
    select e.id, e.source::text, e.txn::text, e.parent::text, e.at as time, e.subject, e.tenant, e.actor, e.what,
      e.target, e.rule, e.outcome, e.duration_ms as "durationMs", e.detail
    from found e
    order by e.source <> 'gateway', e.at, e.id limit ${maxEvents}
  ) as listed
  order by time, id`

export interface AuditReader extends AsyncDisposable {
  /** The events of a transaction and of those it led to, in order. @throws the database's error */
  read(txn: string): Promise<StoredAuditEvent[]>
}

/**
 * Reads events, on one connection.
 *
 * @param adminUrl of a role that may read them: the administrator's
 * @throws the error of the connection
 */
export async function openAudit(adminUrl: string): Promise<AuditReader> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 })
  // What is lost fails the query that waits for it, or the next one.
  client.on('error', () => undefined)
  await client.connect()
  return {
    read: async (txn) => (await client.query<StoredAuditEvent>(familySql, [txn])).rows,
    [Symbol.asyncDispose]: () => client.end(),
  }
}
