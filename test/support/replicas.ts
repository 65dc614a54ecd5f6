import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { compose } from '@behalf/composition'
import { deriveContextKeys, deriveWorkloadKey } from '@behalf/identity'
import { type EmbeddedPostgres, passableDataDir, startEmbeddedPostgres } from '@behalf/postgres/embedded'
import pg from 'pg'
import { freePorts } from './free-ports.ts'
import { provisionAll } from './provision-all.ts'
import { type RecordingProxy, recordingProxy } from './recording-proxy.ts'
import { askForToken, type GraphqlAnswer, root, temporaryDataDir } from './system.ts'

const subgraphs = ['identity', 'orders', 'balance', 'orchestrator'] as const
type Subgraph = (typeof subgraphs)[number]

/** A gateway with subgraphs of its own: another one has other processes, and the same keys and database. */
export interface Replica {
  readonly gateway: string
  readonly internal: string
  /** Of `POST /graphql` of the processes themselves. */
  readonly subgraphs: Readonly<Record<Subgraph, string>>
  /** Between the gateway and its subgraphs. */
  readonly wire: Readonly<Record<Subgraph, RecordingProxy>>
  graphql(token: string | null, query: string, variables?: Record<string, unknown>): Promise<GraphqlAnswer>
  /** Its processes. */
  readonly processes: Readonly<Record<Subgraph | 'edge', ChildProcess>>
}

export interface Replicas extends AsyncDisposable {
  readonly all: readonly [Replica, Replica]
  readonly rootKey: string
  readonly issuer: string
  readonly database: {
    /** Of the administrator. */
    readonly url: string
    /** Of the role `gateway`. */
    readonly gatewayUrl: string
    stop(): Promise<void>
    start(): Promise<void>
  }
  /** An access token of a demo user, each time a new one; default: with all scopes of the user. */
  token(user: string, ...scopes: string[]): Promise<string>
}

const audience = 'http://127.0.0.1/graphql'

/** Two of every process before one PostgreSQL, with ada and ben as users. */
export async function startReplicas(
  more: {
    readonly orchestrator?: Record<string, string>
    readonly gateway?: Record<string, string>
    readonly direct?: boolean
  } = {},
): Promise<Replicas> {
  await using started = new AsyncDisposableStack()
  const dataDir = await temporaryDataDir()
  started.defer(() => rm(dataDir, { recursive: true, force: true }))
  const [postgresPort = 0, providerPort = 0, ...ports] = await freePorts(2 + 2 * (2 + subgraphs.length))
  const rootKey = randomBytes(32).toString('base64url')
  const issuer = `http://127.0.0.1:${providerPort}`
  const providerEnv = { IDP_PORT: String(providerPort), GRAPHQL_RESOURCE: audience }

  const postgresOptions = { dataDir: await passableDataDir(join(dataDir, 'postgres')), port: postgresPort }
  let postgres: EmbeddedPostgres = await startEmbeddedPostgres(postgresOptions)
  started.defer(() => postgres.close())
  const urlOf = await provisionAll(root, postgres.url)
  await fill(postgres.url, issuer)
  const graph = join(dataDir, 'graph.json')
  await writeFile(graph, JSON.stringify((await compose({ root })).graph))

  const children: ChildProcess[] = []
  started.defer(async () => void (await Promise.all(children.map(stop))))
  const run = (script: string, env: Record<string, string>, ready: string) => {
    const child = startProcess(join(root, script), { LOG_LEVEL: 'warn', ...env })
    children.push(child.process)
    return { process: child.process, ready: child.untilReady(ready) }
  }
  const provider = run('apps/dev/src/provider/main.ts', providerEnv, `${issuer}/healthz`)

  async function startReplica([gatewayPort, internalPort, ...appPorts]: readonly number[]): Promise<Replica> {
    const internal = `http://127.0.0.1:${internalPort}`
    const urls = Object.fromEntries(
      subgraphs.map((name, index) => [name, `http://127.0.0.1:${appPorts[index]}/graphql`]),
    ) as Record<Subgraph, string>
    const wire = Object.fromEntries(
      await Promise.all(
        subgraphs.map(async (name) => [name, started.use(await recordingProxy(new URL(urls[name]).origin))] as const),
      ),
    ) as Record<Subgraph, RecordingProxy>
    const apps = subgraphs.map((name, index) =>
      run(
        `apps/${name}/src/main.ts`,
        {
          [`${name.toUpperCase()}_PORT`]: String(appPorts[index]),
          DATABASE_URL: urlOf(name),
          BEHALF_CONTEXT_KEYS: deriveContextKeys(rootKey, name, [1]),
          ...(name === 'orchestrator' && {
            BEHALF_WORKLOAD_KEY: deriveWorkloadKey(rootKey, name, 1),
            GATEWAY_INTERNAL_URL: internal,
            ...more.orchestrator,
          }),
        },
        `${new URL(urls[name]).origin}/readyz`,
      ),
    )
    const gateway = `http://127.0.0.1:${gatewayPort}`
    const edge = run(
      'apps/gateway/src/main.ts',
      {
        GATEWAY_PORT: String(gatewayPort),
        GATEWAY_INTERNAL_PORT: String(internalPort),
        BEHALF_ROOT_KEY: rootKey,
        DATABASE_URL: urlOf('gateway'),
        OIDC_ISSUER: issuer,
        GRAPHQL_RESOURCE: audience,
        INTERACTIVE_CLIENTS: 'behalf-cli',
        GRAPH: graph,
        SUBGRAPHS: subgraphs
          .map((name) => `${name}=${more.direct ? urls[name] : `${wire[name].url}/graphql`}`)
          .join(','),
        ...more.gateway,
      },
      `${gateway}/readyz`,
    )
    await Promise.all([...apps, edge].map(({ ready }) => ready))
    const processOf = subgraphs.map((name, index) => [name, apps[index]?.process] as const)
    return {
      gateway,
      internal,
      subgraphs: urls,
      wire,
      processes: { ...Object.fromEntries(processOf), edge: edge.process } as Replica['processes'],
      async graphql(token, query, variables = {}) {
        const response = await fetch(`${gateway}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...(token !== null && { authorization: `Bearer ${token}` }) },
          body: JSON.stringify({ query, variables }),
        })
        const body = (await response.json()) as GraphqlAnswer['body']
        return { status: response.status, headers: response.headers, body }
      },
    }
  }
  const half = ports.length / 2
  const [first, second] = await Promise.all([
    startReplica(ports.slice(0, half)),
    startReplica(ports.slice(half)),
    provider.ready,
  ])
  const running = started.move()
  return {
    all: [first, second],
    rootKey,
    issuer,
    database: {
      url: postgres.url,
      gatewayUrl: urlOf('gateway'),
      stop: () => postgres.close(),
      async start() {
        postgres = await startEmbeddedPostgres(postgresOptions)
      },
    },
    token: (user, ...scopes) => askForToken([user, ...scopes], { ...providerEnv, PATH: process.env['PATH'] ?? '' }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function fill(adminUrl: string, issuer: string): Promise<void> {
  const admin = new pg.Client({ connectionString: adminUrl })
  await admin.connect()
  for (const name of ['ada', 'ben']) {
    await admin.query(`insert into authority.subject values ($1, $2, $3, 'acme', '{"tier":"basic"}')`, [
      issuer,
      name,
      `usr_${name}`,
    ])
    await admin.query(`insert into identity.users values ($1, 'acme', $2, $3, 'basic')`, [
      `usr_${name}`,
      name,
      `${name}@acme.example`,
    ])
  }
  await admin.end()
}

/** Ends with this process, too. */
function startProcess(script: string, env: Record<string, string>) {
  const child = spawn(process.execPath, ['--conditions=@behalf/source', script], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-4000)))
  }
  return {
    process: child,
    /** Resolves once `url` answers 200. @throws if the process ends before, with what it printed */
    async untilReady(url: string): Promise<void> {
      const isReady = () =>
        // What is asked while a process is about to answer may stay without an answer.
        fetch(url, { signal: AbortSignal.timeout(2000) }).then(
          ({ ok }) => ok,
          () => false,
        )
      while (!(await isReady())) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${script} ended: ${printed}`)
        await delay(50)
      }
    },
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
