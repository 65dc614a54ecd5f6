import { existsSync } from 'node:fs'
import { access, constants, mkdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { compose, withUrls, type App } from '@behalf/composition'
import { passableDataDir } from '@behalf/postgres/embedded'
import { portVariable, type Config } from '../config.ts'
import { demoUsers } from '../seed/demo-users.ts'
import type { AppFile } from './app-files.ts'
import type { RunningProcess } from './child-process.ts'
import { createDatabases, openDatabase } from './database.ts'
import { Failure } from './failure.ts'
import { endLeftovers, findLastRun, recordDatabase, recordRun, stopLeftoverPostgres } from './last-run.ts'
import { createProcesses } from './processes.ts'
import { takenPorts, type PortNeed } from './ports.ts'
import { waitUntilReady } from './readiness.ts'
import { createReload, type Reload } from './reload.ts'
import { replaceFile, servedGraph } from './served-graph.ts'
import { createSubgraphProcesses } from './subgraph-processes.ts'
import { summary } from './summary.ts'
import { planProvider, planSystem, type PlannedProcess } from './system-plan.ts'
import { watchApps } from './watch-apps.ts'

/** A newcomer's machine may be slow and may have much to do; nothing needs nearly as long. */
const readyWithin = 60_000
/** Milliseconds for the gateway to make another graph ready. */
const servedWithin = 20_000

export interface Supervision {
  readonly config: Config
  /** Of the repository. */
  readonly root: string
  readonly apps: readonly App[]
  /** Aborted to stop the system. */
  readonly signal: AbortSignal
  /** Shows a line to whoever started the system. */
  readonly show: (line: string) => void
}

/**
 * Starts the whole system, shows how to use it, and keeps it, and keeps it up with the files of the apps, until `signal`
 * aborts; then stops it in reverse order.
 * However this ends, nothing that it started is left.
 *
 * @throws Failure if it cannot start, or a process of it ends by itself
 */
export async function supervise({ config, root, apps, signal, show }: Supervision): Promise<void> {
  const begun = performance.now()
  const dataDir = resolve(root, config.dataDir)
  const logs = join(dataDir, 'logs')
  const postgresDir = await passableDataDir(join(dataDir, 'postgres'))
  const graphFile = join(dataDir, 'graph.json')
  await makeFolders(dataDir, logs)
  await clearTheWay(config, dataDir, postgresDir)

  await using running = new AsyncDisposableStack()
  const record = running.use(await recordRun(dataDir))

  const failure = new AbortController()
  const halted = AbortSignal.any([signal, failure.signal])
  const orHalt = <T>(work: Promise<T>) => Promise.race([work, rejectedOn(halted)])
  const step = async <T>(name: string, work: Promise<T>) => {
    const result = await orHalt(work)
    show(`  ${name.padEnd(12)} ${seconds(begun).toFixed(1)} s`)
    return result
  }
  // The database is not stopped under those who work in it.
  const finishing = <T>(work: Promise<T>) => {
    running.defer(async () => void (await work.catch(() => undefined)))
    return work
  }
  const processes = running.use(createProcesses({ logs, show, started: (pid) => record.add(pid) }))
  const launch = (plan: PlannedProcess): RunningProcess => {
    const child = processes.begin(plan)
    void child.ended.then(({ stopped, story }) => stopped || failure.abort(new Failure(story)))
    return child
  }
  const ready = (plan: PlannedProcess) => waitUntilReady(plan.name, plan.ready, { within: readyWithin, signal: halted })

  show('Starting Behalf. Ctrl-C stops it.')
  // A terminal has just written "^C".
  signal.addEventListener('abort', () => show('\nStopping.'), { once: true })
  let reload: Reload | null = null
  // What changes while this starts.
  const early: AppFile[] = []
  running.use(
    await watchApps({
      root,
      apps,
      changed: (files) => (reload === null ? void early.push(...files) : reload.changed(files)),
      appeared: (folder) => show(`${folder} is new. Stop and start again for it.`),
    }),
  )
  const opening = openDatabase(config, postgresDir)
  running.defer(async () => (await opening.catch(() => null))?.[Symbol.asyncDispose]())
  const composed = step('graph', compose({ root }))
  composed.catch(() => undefined)
  const provider = planProvider(config, root, apps)
  if (config.ownProvider) running.use(launch(provider))

  const { adminUrl, lost } = await step('PostgreSQL', opening)
  void lost.then((reason) => failure.abort(reason))
  running.use(await recordDatabase(dataDir, adminUrl))
  const databases = createDatabases(adminUrl, apps)
  const plan = planSystem({ config, root, databaseUrl: (role) => databases.urlOf(role), graphFile })
  const subgraphs = running.use(
    createSubgraphProcesses({
      apps,
      portOf: (name) => config.appPorts.get(name) ?? 0,
      plan: (app, port) => plan.subgraph(app, port),
      begin: (planned) => processes.begin(planned),
      beginBeside: (planned) => processes.beginFromSpare(planned),
      ready,
      failed: (reason) => failure.abort(reason),
    }),
  )
  const started: PlannedProcess[] = []
  // Each as soon as it has its tables: to load it takes longer than the tables of the next one.
  const migrations = databases.migrateAll((name) => halted.aborted || started.push(subgraphs.start(name)))
  await step('migrations', finishing(migrations))
  const { seed } = await import('../seed/seed.ts')
  const seeded = step('seed', finishing(seed({ adminUrl, issuer: config.issuer })))
  seeded.catch(() => undefined)
  const graph = withUrls((await composed).graph, subgraphs.urls())
  await replaceFile(graphFile, JSON.stringify(graph))
  running.use(launch(plan.gateway))
  const all = [...(config.ownProvider ? [provider] : []), ...started, plan.gateway]
  await Promise.all([seeded, step('processes', Promise.all(all.map(ready)))])

  const [{ directory: like } = { directory: root }] = apps
  const keepSpare = () => processes.keepSpare(like)
  // For whoever writes resolvers and tools; nothing runs by them.
  const makeTypes = () =>
    processes.runAside({
      name: 'types',
      script: join(root, 'packages/cli/src/main.ts'),
      args: ['types', '--root', root],
      env: config.system,
    })
  if (!existsSync(join(root, 'generated/graph.graphql'))) makeTypes()
  reload = running.use(
    createReload({
      root,
      graph,
      served: servedGraph({ path: graphFile, statusUrl: plan.gatewayStatus, within: servedWithin, signal: halted }),
      subgraphs,
      databases,
      fixed: new Set(config.subgraphUrls.keys()),
      show,
      done(files) {
        keepSpare()
        if (files.some(({ part }) => part === 'schema' || part === 'manifest')) makeTypes()
      },
      failed: (reason) => failure.abort(reason),
    }),
  )
  keepSpare()
  if (early.length > 0) reload.changed(early)

  const places = { logs: shortest(logs), database: shortest(postgresDir) }
  show(summary({ config, users: demoUsers, ...places, seconds: seconds(begun) }))
  await rejectedOn(halted).catch(() => undefined)
  if (failure.signal.aborted) throw failure.signal.reason
}

/** Others may pass, not look: PostgreSQL runs as another user where this process is root. */
async function makeFolders(dataDir: string, logs: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o711 })
    await mkdir(logs, { recursive: true, mode: 0o700 })
    await Promise.all([dataDir, logs].map((folder) => access(folder, constants.W_OK)))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Failure(`The folder ${dataDir} cannot be used (BEHALF_DATA_DIR): ${reason}`, { cause: error })
  }
}

/** Sees that the ports are free and nobody else uses the folder, after ending what a killed supervisor left. */
async function clearTheWay(config: Config, dataDir: string, postgresDir: string): Promise<void> {
  const lastRun = await findLastRun(dataDir)
  if (lastRun === 'killed') {
    await endLeftovers(dataDir)
    await stopLeftoverPostgres(postgresDir)
  }
  const taken = await takenPorts(portNeeds(config), lastRun === 'killed' ? 5000 : 0)
  if (taken.length > 0) {
    const lines = taken.map(
      ({ what, variable, port }) => `  ${port} for ${what}: ${variable}=<another port> changes it`,
    )
    throw new Failure(`Something listens already, perhaps another "npm start":\n${lines.join('\n')}`)
  }
  if (typeof lastRun === 'object') {
    throw new Failure(
      `Another "npm start" (process ${lastRun.runningAs}) uses ${dataDir}.\n` +
        'Stop it first, or give this one a folder of its own with BEHALF_DATA_DIR.',
    )
  }
}

function portNeeds(config: Config): PortNeed[] {
  const host = '127.0.0.1'
  return [
    { what: 'the gateway', variable: 'GATEWAY_PORT', host: config.host, port: config.gatewayPort },
    { what: "the gateway's internal API", variable: 'GATEWAY_INTERNAL_PORT', host, port: config.internalPort },
    ...[...config.appPorts].map(([name, port]) => ({ what: name, variable: portVariable(name), host, port })),
    ...(config.ownProvider
      ? [{ what: 'the development provider', variable: 'IDP_PORT', host, port: config.providerListenPort }]
      : []),
    ...(config.databaseUrl === null
      ? [{ what: 'PostgreSQL', variable: 'POSTGRES_PORT', host, port: config.postgresPort }]
      : []),
  ]
}

const shortest = (path: string) => {
  const fromHere = relative(process.cwd(), path)
  return fromHere.startsWith('..') ? path : fromHere
}

const seconds = (since: number) => Number(((performance.now() - since) / 1000).toFixed(1))

function rejectedOn(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  if (signal.aborted) reject(signal.reason)
  else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return promise
}
