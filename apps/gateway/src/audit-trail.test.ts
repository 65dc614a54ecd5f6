import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authorityMigrations } from '@behalf/authority'
import { type AuditReader, openAudit } from '@behalf/postgres'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { writePingGraph } from './ping-graph-fixture.ts'

vi.setConfig({ testTimeout: 60_000 })

let database: TestDatabase
let audit: AuditReader
let folder: string
let env: Record<string, string>
let away: (isAway: boolean) => void
const open = new AsyncDisposableStack()
const started: ChildProcess[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-app-gateway-'))
  database = await testDatabase()
  audit = await openAudit(database.url)
  const databaseUrl = new URL(await database.provision('gateway', authorityMigrations, 'authority'))
  const network = await startNetwork(Number(databaseUrl.port))
  away = network.away
  databaseUrl.port = String(network.port)
  env = {
    GATEWAY_PORT: '0',
    GATEWAY_INTERNAL_PORT: '0',
    DATABASE_URL: databaseUrl.href,
    BEHALF_ROOT_KEY: randomBytes(32).toString('base64url'),
    OIDC_ISSUER: 'http://127.0.0.1:4200',
    GRAPHQL_RESOURCE: 'http://127.0.0.1:4000/graphql',
    GRAPH: await writePingGraph(folder),
  }
})
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await audit[Symbol.asyncDispose]()
  await open.disposeAsync()
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

/** What is between the gateway and its database. */
async function startNetwork(to: number) {
  let isAway = false
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    if (isAway) return void socket.destroy()
    const other = connect(to, '127.0.0.1')
    for (const [one, another] of [
      [socket, other],
      [other, socket],
    ] as const) {
      sockets.add(one)
      one.on('error', () => undefined).on('close', () => another.destroy())
      one.pipe(another)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.defer(() => void server.close())
  return {
    port: (server.address() as AddressInfo).port,
    away(value: boolean) {
      isAway = value
      if (value) for (const socket of sockets) socket.destroy()
    },
  }
}

async function startGateway() {
  const child = spawn(process.execPath, ['--conditions=@behalf/source', join(import.meta.dirname, 'main.ts')], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exited = once(child, 'exit') as Promise<[number | null]>
  await expect.poll(() => output, { timeout: 30_000 }).toContain('"msg":"listening"')
  const url = /"url":"([^"]+)"/.exec(output)?.[1] ?? ''
  return {
    child,
    exited,
    output: () => output,
    async ask() {
      const response = await fetch(`${url}/graphql?query={__typename}`)
      const { extensions } = (await response.json()) as { extensions: { txn: string } }
      expect(response.status).toBe(200)
      return extensions.txn
    },
  }
}
const recorded = async (txn: string) => (await audit.read(txn)).map(({ what, source }) => ({ what, source }))

it('[P14] what was recorded just before a process is told to end is written', async () => {
  const { child, exited, ask } = await startGateway()
  const txn = await ask()
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
  expect(await recorded(txn)).toEqual([{ what: 'request', source: 'gateway' }])
})

it('[P14] while the database is away answers go on, and what was recorded meanwhile is written afterwards', async () => {
  const { child, exited, ask } = await startGateway()
  away(true)
  const txns = [await ask(), await ask(), await ask()]
  for (const txn of txns) expect(await recorded(txn)).toEqual([])
  away(false)
  for (const txn of txns)
    await expect.poll(() => recorded(txn), { timeout: 30_000 }).toEqual([{ what: 'request', source: 'gateway' }])
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
})

it('[P14] what cannot be written before the end is said to be lost, and keeps no process', async () => {
  const { child, exited, ask, output } = await startGateway()
  away(true)
  const txn = await ask()
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
  away(false)
  expect(await recorded(txn)).toEqual([])
  expect(output()).toMatch(/"count":1,.*"msg":"audit events lost"/)
})
