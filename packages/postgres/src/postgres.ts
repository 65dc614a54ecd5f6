import { AppError, type Identity } from '@behalf/identity'
import pg from 'pg'
import { type AuditWriter, createAuditWriter } from './audit-writer.ts'
import { bindTransaction, type BoundTransaction } from './bound-transaction.ts'
import type { Isolation } from './caller-connection.ts'
import type { StoredCaller } from './caller.ts'
import { listenOn, type Listener } from './listen-on.ts'
import { QueuedPool } from './queued-pool.ts'

export interface PostgresOptions {
  /** Of the app's own role. */
  readonly url: string
  /** Connections at most; 10 by default. */
  readonly max?: number
  /** For each statement, and for getting a connection; 10 s by default. */
  readonly statementTimeoutMs?: number
  /** Of transactions that write; `read committed` by default. A subgraph's mutation that fails to serialize is run again. */
  readonly isolation?: Isolation
}

/** A database that is reached as a caller only: there is no other way to a connection. */
export interface Postgres<Tables> {
  /** For the queries of one request. Opens nothing until the first; whoever binds must commit or roll back. */
  bind(caller: Identity | StoredCaller, mode: 'read' | 'write'): BoundTransaction<Tables>
  /**
   * Records the single use of a token: true the first time, in whichever process.
   *
   * @throws AppError UNAVAILABLE if that cannot be told
   */
  consume(id: string, expiresAt: Date): Promise<boolean>
  /**
   * To be asked before anything of a request is done: those that were let in wait for a connection, for as long as a
   * statement may take.
   *
   * @throws AppError UNAVAILABLE where so many wait for one, or the first of them for so long, that it would not be soon
   */
  requireRoom(): void
  /** Where decisions are recorded, in the name of the app's role. */
  readonly audit: AuditWriter
  /** Hears `NOTIFY channel`, on a connection of its own that is made again when it is lost: see `listenOn`. */
  listen(channel: string, onPayload: (payload: string) => void, onGap?: () => void): Promise<Listener>
  /**
   * Sends `NOTIFY channel` for each payload, of less than 8,000 bytes. Every role of the database can hear it, and send
   * the like.
   *
   * @throws AppError UNAVAILABLE if it cannot be sent now
   */
  notify(channel: string, payloads: readonly string[]): Promise<void>
  /** @throws AppError UNAVAILABLE if the database does not answer */
  ready(): Promise<void>
  /** Writes what was recorded, and waits for bound transactions to end. */
  close(): Promise<void>
}

const date = 1082

/** Opens a pool of connections, the first one when it is needed. `date` columns come as text, `YYYY-MM-DD`. */
export function postgres<Tables>(options: string | PostgresOptions): Postgres<Tables> {
  const {
    url,
    max = 10,
    statementTimeoutMs = 10_000,
    isolation,
  } = typeof options === 'string' ? { url: options } : options
  const types = new pg.TypeOverrides()
  types.setTypeParser(date, (text: string) => text)
  const pool = new QueuedPool({
    connectionString: url,
    max,
    types,
    // Begin, identity and first query share a round trip.
    pipeline: true,
    connectionTimeoutMillis: statementTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // A transaction that was forgotten gives its locks and its connection back.
    idle_in_transaction_session_timeout: Math.max(60_000, statementTimeoutMs),
  })
  // An idle connection that is lost leaves the pool; the next query makes another.
  pool.on('error', () => undefined)
  const audit = createAuditWriter(pool)
  let closing: Promise<void> | undefined
  async function close(): Promise<void> {
    await audit.close()
    await pool.end()
  }

  return {
    audit,
    bind: (caller, mode) => bindTransaction(pool, caller, mode, statementTimeoutMs, isolation),
    consume: (id, expiresAt) => consume(pool, id, expiresAt),
    requireRoom: () => pool.requireRoom(),
    listen: (channel, onPayload, onGap) => listenOn(url, channel, onPayload, onGap),
    async notify(channel, payloads) {
      try {
        await pool.query('select pg_notify($1, payload) from unnest($2::text[]) payload', [channel, payloads])
      } catch (cause) {
        throw new AppError('UNAVAILABLE', undefined, { cause })
      }
    },
    async ready() {
      try {
        await pool.query('select 1')
      } catch (cause) {
        throw new AppError('UNAVAILABLE', undefined, { cause })
      }
    },
    close: () => (closing ??= close()),
  }
}

/** Every use clears away a few that expired long ago, skipping those that another one is at. */
const consumeSql = `
  with expired as (
    delete from behalf.seen_token where (receiver, id) in (
      select receiver, id from behalf.seen_token
      where receiver = current_user and expires_at < now() - interval '10 minutes'
      order by expires_at limit 10 for update skip locked)
  )
  insert into behalf.seen_token (id, expires_at) values ($1, $2) on conflict do nothing`

async function consume(pool: pg.Pool, id: string, expiresAt: Date): Promise<boolean> {
  try {
    const { rowCount } = await pool.query({ name: 'behalf_consume', text: consumeSql, values: [id, expiresAt] })
    return rowCount === 1
  } catch (cause) {
    throw new AppError('UNAVAILABLE', undefined, { cause })
  }
}
