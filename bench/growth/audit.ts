import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authoritySchema } from '@behalf/authority'
import { contextTokenHeader, createContextSigner, deriveContextKeys } from '@behalf/identity'
import { createAuditWriter, openAudit, provision } from '@behalf/postgres'
import { passableDataDir, startEmbeddedPostgres } from '@behalf/postgres/embedded'
import { testPrincipal } from '@behalf/testing'
import pg from 'pg'
import { freePorts } from '../../test/support/free-ports.ts'
import { middle } from '../middle.ts'
import { startProbed } from '../start-probed.ts'
import { createRows, type GrowthRow } from './growth-row.ts'

const root = join(import.meta.dirname, '..', '..')
const users = 1000
/** Events of one transaction, and of one that it led to. */
const family = 10

/** Grows one log from size to size. What reads it is what operators and users have: `behalf explain`, and `auditEvents`. */
export async function growAudit(sizes: readonly number[]): Promise<GrowthRow[]> {
  const rows = createRows('audit events')
  await using started = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'behalf-audit-'))
  started.defer(() => rmSync(folder, { recursive: true, force: true }))
  const [postgresPort = 0, identityPort = 0] = await freePorts(2)
  const postgres = await startEmbeddedPostgres({
    dataDir: await passableDataDir(join(folder, 'postgres')),
    port: postgresPort,
  })
  started.defer(() => postgres.close())
  const admin = new pg.Pool({ connectionString: postgres.url, max: 2 })
  // The server may stop before a connection that was let go is closed.
  admin.on('error', () => undefined)
  started.defer(() => admin.end())
  const urlOf = async (part: { readonly name: string; readonly schema: string; readonly migrations: string }) => {
    const url = new URL(postgres.url)
    Object.assign(url, { username: part.name, password: randomBytes(24).toString('hex') })
    await provision({ adminUrl: postgres.url, ...part, password: url.password })
    return url.href
  }
  const gatewayUrl = await urlOf(authoritySchema)
  const identityUrl = await urlOf({
    name: 'identity',
    schema: 'identity',
    migrations: join(root, 'apps/identity/migrations'),
  })
  const reader = await openAudit(postgres.url)
  started.defer(() => reader[Symbol.asyncDispose]())
  const writing = new pg.Pool({ connectionString: gatewayUrl, max: 2 })
  writing.on('error', () => undefined)
  started.defer(() => writing.end())
  const rootKey = randomBytes(32).toString('base64url')
  const identity = await startProbed(join(root, 'apps/identity/src/main.ts'), {
    name: 'identity',
    core: 1,
    env: {
      LOG_LEVEL: 'warn',
      IDENTITY_PORT: String(identityPort),
      DATABASE_URL: identityUrl,
      BEHALF_CONTEXT_KEYS: deriveContextKeys(rootKey, 'identity', [1]),
    },
    ready: `http://127.0.0.1:${identityPort}/readyz`,
  })
  started.defer(() => identity.stop())
  const signer = createContextSigner({ rootKey, epoch: 1, trustDomain: 'behalf' })

  async function readPage(after: string | null): Promise<string | null> {
    const query = `query ($after: String) { viewer { auditEvents(first: 100, after: $after) { edges { node { what } } pageInfo { endCursor } } } }`
    const body = Buffer.from(JSON.stringify({ query, variables: { after } }))
    const scopes = ['audit:read']
    const token = signer.sign(testPrincipal('u1', { scopes }), {
      to: 'identity',
      body,
      operation: 'query',
      txn: randomUUID(),
      facts: [],
      scopes,
    })
    const response = await fetch(`http://127.0.0.1:${identityPort}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [contextTokenHeader]: token },
      body,
    })
    const answer = (await response.json()) as {
      data?: { viewer: { auditEvents: { edges: unknown[]; pageInfo: { endCursor: string | null } } } }
    }
    const page = answer.data?.viewer.auditEvents
    if (!page || page.edges.length === 0) throw new Error(JSON.stringify(answer).slice(0, 500))
    return page.pageInfo.endCursor
  }

  let filled = 0
  for (const size of sizes) {
    const begun = performance.now()
    await fill(admin, filled, size)
    filled = size
    console.log(`filled to ${size} in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
    rows.add(size, 'disk', 'MB', 'as it', await megabytes(admin))
    await writeOnce(writing, 500)
    const runs = 9
    const writes: number[] = []
    for (let run = 0; run < runs; run++) writes.push(await writeOnce(writing, 500))
    rows.add(size, 'writing 500 events', 'ms', 'no', middle(writes))
    const reads: number[] = []
    for (let run = 0; run < runs; run++) {
      const txn = txnOf(Math.floor((size / family / 2 / runs) * run) * family * 2)
      const at = performance.now()
      const events = await reader.read(txn)
      reads.push(performance.now() - at)
      if (events.length !== 2 * family) throw new Error(`${events.length} events of ${txn}.`)
    }
    rows.add(size, '`behalf explain` of a transaction', 'ms', 'no', middle(reads))
    const firsts: number[] = []
    const nexts: number[] = []
    for (let run = 0; run < runs; run++) {
      let at = performance.now()
      let cursor = await readPage(null)
      firsts.push(performance.now() - at)
      // A page further down, where the log is long enough to have one.
      for (let page = 0; page < Math.min(8, Math.floor(size / users / 100) - 1); page++) {
        at = performance.now()
        cursor = await readPage(cursor)
        nexts.push(performance.now() - at)
      }
    }
    rows.add(size, "`auditEvents`, a user's first 100", 'ms', 'no', middle(firsts))
    if (nexts.length > 0) rows.add(size, '`auditEvents`, the next 100', 'ms', 'no', middle(nexts))
  }
  return rows.all()
}

const txnOf = (first: number) => `00000000-0000-4000-8000-${first.toString(16).padStart(12, '0')}`

/** Each transaction has events, and led to another one. As they come: one after the other. */
async function fill(admin: pg.Pool, from: number, to: number): Promise<void> {
  await admin.query(
    `insert into behalf.audit_event (source, txn, parent, at, subject, tenant, what, target, outcome, duration_ms, detail)
     select 'gateway', ('00000000-0000-4000-8000-' || lpad(to_hex(n / ${family} * ${family}), 12, '0'))::uuid,
       case when n / ${family} % 2 = 1
         then ('00000000-0000-4000-8000-' || lpad(to_hex((n / ${family} - 1) * ${family}), 12, '0'))::uuid end,
       timestamptz '2026-01-01' + n * interval '1 second', 'usr_u' || (n / ${2 * family} % ${users}), 'acme', 'request', '/graphql', 'OK',
       4.2, '{"operation":"query","name":"Balance","cost":12,"hops":[{"to":"identity","ms":1.2,"scopes":[],"facts":{}}]}'
     from generate_series($1::bigint, $2::bigint - 1) n`,
    [from, to],
  )
  await admin.query('analyze behalf.audit_event')
}

async function megabytes(admin: pg.Pool): Promise<number> {
  const { rows } = await admin.query<{ size: string }>("select pg_total_relation_size('behalf.audit_event') as size")
  return Number(rows[0]?.size) / 1e6
}

/** Milliseconds until as many are written. */
async function writeOnce(pool: pg.Pool, count: number): Promise<number> {
  const writer = createAuditWriter(pool)
  const at = performance.now()
  for (let index = 0; index < count; index++)
    writer.record({
      txn: randomUUID(),
      parent: null,
      time: new Date(),
      subject: 'usr_somebody',
      tenant: 'acme',
      actor: null,
      what: 'request',
      target: '/graphql',
      rule: null,
      outcome: 'OK',
      durationMs: 4.2,
      detail: { operation: 'query', name: 'Balance' },
    })
  await writer.flush()
  const took = performance.now() - at
  await writer.close()
  return took
}
