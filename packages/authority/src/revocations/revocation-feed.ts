import { AppError, type Revocation, type Revocations, type Revoked } from '@behalf/identity'
import { listenOn, type Listener } from '@behalf/postgres'
import pg from 'pg'
import { RevocationIndex } from './revocation-index.ts'

export interface RevocationFeed {
  readonly revocations: Revocations
  /** Resolves once all revocations of now are known. @throws if they cannot be read */
  start(): Promise<void>
  close(): Promise<void>
}

/** Of its NOTIFY, which a trigger sends. */
const channel = 'behalf_revocation'
/** A reading that takes longer is given up, with its connection: maybe nobody is at the other end of it. */
const readWithinMs = 900
const pageSize = 5000
const tidyEveryMs = 60_000

interface Row {
  /** bigint */
  readonly sequence: string
  readonly issuer: string | null
  readonly subject: string | null
  readonly session: string | null
  readonly delegation: string | null
  readonly not_before: Date
  readonly reason: Revocation['reason']
  readonly expires_at: Date
}

const readSql = `select sequence, issuer, subject, session, delegation, not_before, reason, expires_at
  from authority.revocation where sequence > $1 order by sequence limit $2`
const tidySql = `delete from authority.revocation where sequence in (
  select sequence from authority.revocation where expires_at < now() order by sequence limit 1000)`

/**
 * Keeps what is revoked in memory: read by sequence, when PostgreSQL says that there is something new, and twice a
 * second in any case. What is heard is never believed, only taken as a reason to read. Reading has a connection of its
 * own, so that it waits for no other question, and another than what is heard, so that the loss of one is not felt.
 *
 * @param options.pollMs - by default half of the second in which a revocation is to be in effect everywhere, even where
 * no notification arrives
 * @param options.clock - milliseconds, counted up evenly
 */
export function createRevocationFeed(options: {
  readonly url: string
  readonly pollMs?: number
  readonly clock?: () => number
}): RevocationFeed {
  const { url, pollMs = 500, clock = () => performance.now() } = options
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: 5000,
    statement_timeout: readWithinMs,
    query_timeout: readWithinMs,
  })
  // Connected anew at once, and not only when it is time to read again.
  pool.on('error', () => catchUp())
  const index = new RevocationIndex()
  const listeners = new Set<(revocation: Revocation) => void>()
  let last = '0'
  let completeAt = -Infinity
  let tidyAt = -Infinity
  let reading: Promise<void> | undefined
  let wanted = false
  let timer: NodeJS.Timeout | undefined
  let listener: Listener | undefined
  let starting: Promise<void> | undefined
  let closing: Promise<void> | undefined

  async function begin(): Promise<void> {
    listener = await listenOn(url, channel, catchUp)
    // A machine on which everything starts at once may be slow, once.
    await read().catch(read)
    timer = setInterval(catchUp, pollMs).unref()
    if (wanted) catchUp()
  }

  async function close(): Promise<void> {
    await starting?.catch(() => undefined)
    clearInterval(timer)
    timer = undefined
    await listener?.close()
    await reading
    await pool.end()
  }

  async function read(): Promise<void> {
    // What is committed from here on may be missed by this reading.
    const begun = clock()
    for (;;) {
      const { rows } = await pool.query<Row>(readSql, [last, pageSize])
      for (const row of rows) {
        const revocation = revocationOf(row)
        last = row.sequence
        index.add(revocation, row.expires_at.getTime())
        // A listener's failure is its own, and not of the reading.
        for (const listen of listeners) queueMicrotask(() => listen(revocation))
      }
      if (rows.length < pageSize) break
    }
    completeAt = begun
    if (begun < tidyAt + tidyEveryMs) return
    tidyAt = begun
    index.forget(Date.now())
    await pool.query(tidySql).catch(() => undefined)
  }

  /** Reads, and once more if there is a reason to while it reads: that one may have come too late for it. */
  function catchUp(): void {
    wanted = true
    if (timer === undefined) return
    reading ??= (async () => {
      while (wanted) {
        wanted = false
        // How long ago it last succeeded tells that it does not.
        await read().catch(() => undefined)
      }
      reading = undefined
    })()
  }

  return {
    revocations: {
      age: () => clock() - completeAt,
      isRevoked: (credential) => index.isRevoked(credential),
      onRevoked(listen) {
        const own = (revocation: Revocation) => listen(revocation)
        listeners.add(own)
        return () => void listeners.delete(own)
      },
    },
    start: () => (starting ??= begin()),
    close: () => (closing ??= close()),
  }
}

function revocationOf({ sequence, issuer, subject, session, delegation, not_before, reason }: Row): Revocation {
  return {
    sequence: Number(sequence),
    revoked: revokedOf({ issuer, subject, session, delegation }),
    notBefore: not_before,
    reason,
  }
}

function revokedOf({
  issuer,
  subject,
  session,
  delegation,
}: Pick<Row, 'issuer' | 'subject' | 'session' | 'delegation'>): Revoked {
  if (subject !== null) return { kind: 'subject', issuer, subject }
  if (session !== null && issuer !== null) return { kind: 'session', issuer, session }
  if (delegation !== null) return { kind: 'delegation', delegation }
  // A check of the table forbids it. What cannot be understood is not passed over: nothing is complete without it.
  throw new AppError('INTERNAL', undefined, { cause: 'a revocation of nothing' })
}
