import { fileURLToPath } from 'node:url'
import { AppError } from '@behalf/identity'
import { createAuditWriter } from '@behalf/postgres'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { ask, readResolved, renew, renewable, standing, use as useApproval } from './approvals.ts'
import type { Authority } from './authority.ts'
import { delegateToClient } from './client-delegations.ts'
import type { Database } from './database.ts'
import { consumeAndUse, redeem, use } from './delegations.ts'
import { createLimiter } from './limiter.ts'
import { createResolutionFeed } from './resolution-feed.ts'
import { createRevocationFeed } from './revocations/revocation-feed.ts'
import { revoke } from './revocations/revoke.ts'
import { useToken } from './use-once.ts'

/** Folder of the migrations. */
export const authorityMigrations = fileURLToPath(new URL('../migrations', import.meta.url))

/** The gateway's role and schema: for `provision`, and for tests of a subgraph that is shown some of its rows. */
export const authoritySchema = { name: 'gateway', schema: 'authority', migrations: authorityMigrations } as const

export interface AuthorityOptions {
  /** Of role `gateway`, or of an administrator whom row-level security does not hold. */
  readonly url: string
  /** Connections at most; 10 by default. */
  readonly max?: number
  /** For how long a request waits for points of a limit at most. Default 500. */
  readonly limiterTimeoutMs?: number
  /** Told when limits are no longer shared because the database does not answer: once, until it does again. */
  readonly onLimiterFallback?: (cause: unknown) => void
}

/** Keeps the gateway's trust state in PostgreSQL, shared by all its replicas. Opens nothing until it is asked. */
export function createAuthority(options: string | AuthorityOptions): Authority {
  const given = typeof options === 'string' ? { url: options } : options
  const { url, max = 10, limiterTimeoutMs: timeoutMs, onLimiterFallback: onFallback } = given
  const pool = new pg.Pool({ connectionString: url, max, connectionTimeoutMillis: 5_000, statement_timeout: 5_000 })
  // An idle connection that is lost leaves the pool; the next query makes another.
  pool.on('error', () => undefined)
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) }).withSchema('authority')
  const audit = createAuditWriter(pool)
  const feed = createRevocationFeed({ url })
  const resolutions = createResolutionFeed({ url })
  const limiter = createLimiter({ url, timeoutMs, onFallback })
  let closing: Promise<void> | undefined
  async function close(): Promise<void> {
    await Promise.all([feed.close(), resolutions.close(), limiter.close(), audit.close()])
    await db.destroy()
  }

  return {
    audit,
    resolveSubject: ({ issuer, subject }) =>
      answered(async () => {
        const found = await db
          .selectFrom('subject')
          .select(['subject', 'tenant', 'facts'])
          .where('issuer', '=', issuer)
          .where('sub', '=', subject)
          .executeTakeFirst()
        return found ?? null
      }),
    redeemTicket: (ticket) => answered(() => redeem(pool, ticket)),
    useDelegation: (handle, agents) => answered(() => use(pool, handle, agents)),
    delegateToClient: (grant) => answered(() => delegateToClient(db, grant)),
    revoke: (revoked, reason) => answered(() => revoke(db, revoked, reason)),
    revocations: feed.revocations,
    approvals: {
      ask: (request) => answered(() => ask(db, request)),
      standing: (asked) => answered(() => standing(db, asked)),
      use: (id, txn) => answered(() => useApproval(db, id, txn)),
      renewable: (handle, agents) => answered(() => renewable(db, handle, agents)),
      renew: (proof, grant) => answered(() => renew(db, proof, grant)),
      resolved: (after, agents, signal) =>
        answered(() => resolutions.next(() => readResolved(db, after, agents), signal)),
    },
    consume: (id, expiresAt) => answered(() => useToken(pool, id, expiresAt)),
    consumeAndUse: (token, handle, agents) => answered(() => consumeAndUse(pool, token, handle, agents)),
    limiter,
    start: () => answered(async () => void (await Promise.all([feed.start(), resolutions.start()]))),
    close: () => (closing ??= close()),
  }
}

/** What the database cannot answer now is `UNAVAILABLE`; a fault of ours stays one. */
async function answered<R>(question: () => Promise<R>): Promise<R> {
  try {
    return await question()
  } catch (cause) {
    throw isPassing(cause) ? new AppError('UNAVAILABLE', undefined, { cause }) : cause
  }
}

/**
 * SQLSTATE classes after which the same question may be answered (PostgreSQL, appendix A): connection exception,
 * transaction rollback, insufficient resources, object not in prerequisite state, operator intervention, system error.
 */
const passing = /^(08|40|53|55|57|58)/

/** What is no error of PostgreSQL's is one of the connection to it, unless it is of this code. */
function isPassing(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return error.severity === 'FATAL' || passing.test(error.code ?? '')
  return !(error instanceof TypeError || error instanceof RangeError)
}
