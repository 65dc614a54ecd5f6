import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compose } from '@behalf/composition'
import { deriveContextKeys, deriveWorkloadKey } from '@behalf/identity'
import { passableDataDir, startEmbeddedPostgres } from '@behalf/postgres/embedded'
import pg from 'pg'
import { freePorts } from '../../test/support/free-ports.ts'
import { provisionAll } from '../../test/support/provision-all.ts'
import { startIssuer } from '../issuer.ts'
import { youngGeneration } from '../processes.ts'
import { type Probed, startProbed } from '../start-probed.ts'

const root = join(import.meta.dirname, '..', '..')
const subgraphs = ['identity', 'orders', 'balance', 'orchestrator'] as const
const audience = 'https://bench.example/graphql'

/** What is deployed, on real PostgreSQL: each process is one, and each user has an account. */
export interface System extends AsyncDisposable {
  readonly url: string
  readonly gateway: Probed
  readonly orchestrator: Probed
  /** Of everybody, the first one's first. */
  readonly tokens: readonly string[]
  /** Transactions that the database committed until now. */
  transactions(): Promise<number>
}

/** @param options.script - of the orchestrator */
export async function startSystem(options: {
  readonly users: number
  readonly orchestrator: { readonly script: string; readonly env: Readonly<Record<string, string>> }
}): Promise<System> {
  await using started = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'behalf-bench-'))
  started.defer(() => rmSync(folder, { recursive: true, force: true }))
  const [postgresPort = 0, gatewayPort = 0, internalPort = 0, ...appPorts] = await freePorts(3 + subgraphs.length)
  const postgres = await startEmbeddedPostgres({
    dataDir: await passableDataDir(join(folder, 'postgres')),
    port: postgresPort,
  })
  started.defer(() => postgres.close())
  const urlOf = await provisionAll(root, postgres.url)
  const issuer = await startIssuer()
  started.defer(() => issuer.close())
  const admin = new pg.Pool({ connectionString: postgres.url, max: 1 })
  // The server may stop before a connection that was let go is closed.
  admin.on('error', () => undefined)
  started.defer(() => admin.end())
  await addUsers(admin, issuer.url, options.users)
  const graph = join(folder, 'graph.json')
  writeFileSync(graph, JSON.stringify((await compose({ root })).graph))

  const rootKey = randomBytes(32).toString('base64url')
  const internal = `http://127.0.0.1:${internalPort}`
  const apps = await Promise.all(
    subgraphs.map(async (name, index) => {
      const [script, core, more] =
        name === 'orchestrator'
          ? ([options.orchestrator.script, 0, options.orchestrator.env] as const)
          : ([join(root, `apps/${name}/src/main.ts`), 1, {}] as const)
      const origin = `http://127.0.0.1:${appPorts[index]}`
      const env = {
        LOG_LEVEL: 'warn',
        [`${name.toUpperCase()}_PORT`]: String(appPorts[index]),
        DATABASE_URL: urlOf(name),
        BEHALF_CONTEXT_KEYS: deriveContextKeys(rootKey, name, [1]),
        ...(name === 'orchestrator' && {
          BEHALF_WORKLOAD_KEY: deriveWorkloadKey(rootKey, name, 1),
          GATEWAY_INTERNAL_URL: internal,
          ...more,
        }),
      }
      const process = await startProbed(script, { name, core, env, ready: `${origin}/readyz` })
      started.defer(() => process.stop())
      return { name, process, url: `${origin}/graphql` }
    }),
  )
  const unlimited = 'requests=off,cost=off'
  const gateway = await startProbed(join(root, 'apps/gateway/src/main.ts'), {
    name: 'gateway',
    core: 0,
    env: {
      NODE_OPTIONS: youngGeneration,
      LOG_LEVEL: 'warn',
      GATEWAY_PORT: String(gatewayPort),
      GATEWAY_INTERNAL_PORT: String(internalPort),
      BEHALF_ROOT_KEY: rootKey,
      DATABASE_URL: urlOf('gateway'),
      OIDC_ISSUER: issuer.url,
      GRAPHQL_RESOURCE: audience,
      INTERACTIVE_CLIENTS: 'bench',
      GRAPH: graph,
      SUBGRAPHS: apps.map(({ name, url }) => `${name}=${url}`).join(','),
      LIMIT_USER: `${unlimited},toolCalls=off`,
      LIMIT_TENANT: unlimited,
      LIMIT_STREAMS: 'user=10000',
    },
    ready: `http://127.0.0.1:${gatewayPort}/readyz`,
  })
  started.defer(() => gateway.stop())
  const orchestrator = apps.find(({ name }) => name === 'orchestrator')?.process
  if (!orchestrator) throw new Error('There is no orchestrator.')
  const scope = 'profile balance:read chat'
  const tokens = await Promise.all(subjects(options.users).map((subject) => issuer.mint(subject, { audience, scope })))
  const running = started.move()
  return {
    url: `http://127.0.0.1:${gatewayPort}`,
    gateway,
    orchestrator,
    tokens,
    async transactions() {
      const { rows } = await admin.query<{ sum: string }>('select sum(xact_commit) from pg_stat_database')
      return Number(rows[0]?.sum)
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

const subjects = (count: number) => Array.from({ length: count }, (_, index) => `u${index}`)

/** What each user is told of their account. */
export const amountOf = (user: number) => `${100 + user}.00`

async function addUsers(admin: pg.Pool, issuer: string, count: number): Promise<void> {
  const names = subjects(count)
  await admin.query(
    `insert into authority.subject select $1, name, 'usr_' || name, 'acme', '{"tier":"basic"}' from unnest($2::text[]) name`,
    [issuer, names],
  )
  await admin.query(
    `insert into identity.users select 'usr_' || name, 'acme', name, name || '@acme.example', 'basic' from unnest($1::text[]) name`,
    [names],
  )
  await admin.query(
    `insert into balance.accounts select 'acc_x' || lpad(name, 8, '0'), 'usr_' || name, 'EUR', amount
     from unnest($1::text[], $2::numeric[]) as account (name, amount)`,
    [names, names.map((_, user) => amountOf(user))],
  )
}
