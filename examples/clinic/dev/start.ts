import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { authoritySchema } from '@behalf/authority'
import { deriveContextKeys } from '@behalf/identity'
import { provision } from '@behalf/postgres'
import { startEmbeddedPostgres } from '@behalf/postgres/embedded'
import { seed } from './people.ts'
import { clients, startProvider } from './provider.ts'
import { issuer, ports, resources } from './system.ts'

// Everything on this machine, for development: the same processes as elsewhere, each told what it needs and no more.
const root = join(import.meta.dirname, '..')
const rootKey = randomBytes(32).toString('base64url')
const adminUrl =
  process.env['DATABASE_URL'] ??
  (await startEmbeddedPostgres({ dataDir: join(root, '.data/postgres'), port: ports.postgres })).url

/** Makes a role with tables of its own, and answers its URL. */
async function databaseOf(owner: { name: string; schema?: string; migrations: string }) {
  const url = new URL(adminUrl)
  url.username = owner.name
  url.password = randomBytes(24).toString('base64url')
  await provision({ ...owner, adminUrl, password: url.password })
  return url.href
}

const children: ChildProcess[] = []

/** Starts `apps/<name>/main.ts`, which ends when this process does, and waits until it answers. */
async function start(name: string, port: number, env: Record<string, string>) {
  const child = fork(join(root, 'apps', name, 'main.ts'), { env: { LOG_LEVEL: 'warn', ...env } })
  children.push(child)
  child.once('exit', (code) => stop(code ?? 1))
  while (!(await isReady(port))) await setTimeout(50)
}

const isReady = (port: number) =>
  fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  )

let stopping = false
async function stop(code: number): Promise<void> {
  if (stopping) return
  stopping = true
  const running = children.filter((child) => child.exitCode === null && child.signalCode === null)
  const ended = running.map((child) => once(child, 'exit'))
  for (const child of running) child.disconnect()
  await Promise.all(ended)
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(0))

const gatewayDatabase = await databaseOf(authoritySchema)
for (const name of ['practice', 'lab'] as const)
  await start(name, ports[name], {
    [`${name.toUpperCase()}_PORT`]: String(ports[name]),
    DATABASE_URL: await databaseOf({ name, migrations: join(root, 'apps', name, 'migrations') }),
    BEHALF_CONTEXT_KEYS: deriveContextKeys(rootKey, name, [1]),
  })
await seed(adminUrl, issuer.origin)
await startProvider(issuer, resources)
await start('gateway', ports.gateway, {
  GATEWAY_PORT: String(ports.gateway),
  GATEWAY_INTERNAL_PORT: String(ports.internal),
  DATABASE_URL: gatewayDatabase,
  BEHALF_ROOT_KEY: rootKey,
  GRAPH: join(root, 'graph.json'),
  SUBGRAPHS: ['practice', 'lab'].map((name) => `${name}=http://127.0.0.1:${ports[name as 'lab']}/graphql`).join(),
  OIDC_ISSUER: issuer.origin,
  INTERACTIVE_CLIENTS: clients.app,
  GRAPHQL_RESOURCE: resources.app,
  MCP_RESOURCE: resources.agent,
})
console.log(`The clinic is open: ${resources.app}, ${resources.agent}`)
