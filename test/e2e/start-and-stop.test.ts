import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { freePorts } from '../support/free-ports.ts'
import { descendantsOf, stillRunning } from '../support/process-tree.ts'
import { root, startSystem, systemEnvironment, temporaryDataDir, type System } from '../support/system.ts'

const run = promisify(execFile)
/** Two starts on a machine that has other things to do. */
const slow = 180_000

/** One folder for all: every start but the first finds its database made and filled. */
let dataDir: string
const started: ChildProcess[] = []
/** Goes from one test to the next, each of which ends it in another way. */
let running: Promise<System> | null = null
let environment: Record<string, string>
beforeAll(async () => {
  dataDir = await temporaryDataDir()
  environment = { ...(await systemEnvironment(dataDir)), LOG_LEVEL: 'trace' }
})
// A test that failed leaves its system; the next one needs the folder.
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await leave()
  for (const child of started.splice(0)) {
    const processes = descendantsOf(child.pid!)
    child.kill()
    await vi.waitUntil(() => stillRunning(processes).length === 0, { timeout: 20_000 })
  }
}, slow)
afterAll(async () => {
  await (await running)?.stop()
  await rm(dataDir, { recursive: true, force: true, maxRetries: 20 })
})

/** `npm start` as in a terminal: in a process group of its own, which Ctrl-C reaches as a whole. */
function npmStart(env: Record<string, string>) {
  const child = spawn('npm', ['start'], { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return {
    child,
    exited: once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
    output: () => output,
    until: (text: string | RegExp) => vi.waitFor(() => expect(output).toMatch(text), { timeout: slow, interval: 50 }),
    interrupt: () => process.kill(-child.pid!, 'SIGINT'),
  }
}

const start = () => (running = startSystem({ env: environment, dataDir }))
/** Nothing of it goes on to the next test, not even of one that is still starting. */
async function leave(): Promise<void> {
  const left = await running?.catch(() => null)
  running = null
  if (left) started.push(left.process)
}

test(
  'npm start says how to begin, its commands work as printed, and Ctrl-C leaves nothing',
  async () => {
    const env = await systemEnvironment(dataDir)
    const system = npmStart(env)
    await system.until('Ctrl-C stops everything.')
    for (const user of ['ada', 'ben', 'chloe', 'sam']) expect(system.output()).toMatch(new RegExp(`^  ${user} `, 'm'))

    const printed = /A first query.*?\n(.*?)\n\nA first chat.*?\n(.*?)\n\n/s.exec(system.output())
    const { stdout } = await run('bash', ['-c', printed![1]!], { cwd: root, env: { PATH: env['PATH'] } })
    expect(JSON.parse(stdout)).toMatchObject({
      data: { viewer: { id: 'usr_ada', balance: { currency: expect.any(String) } } },
    })

    const processes = descendantsOf(system.child.pid!)
    expect(processes.map(({ command }) => command).join('\n')).toMatch(
      /apps\/gateway[^]*postgres|postgres[^]*apps\/gateway/,
    )

    // Two at once: the ports are named, with what changes them, and the first one goes on.
    const second = npmStart(env)
    expect(await second.exited).toEqual([1, null])
    expect(second.output()).toContain('perhaps another "npm start"')
    expect(second.output()).toContain(`${env['GATEWAY_PORT']} for the gateway: GATEWAY_PORT=<another port> changes it`)
    expect(second.output()).toContain('POSTGRES_PORT')
    expect(second.output()).not.toMatch(/^\s+at /m)
    const sameFolder = npmStart({ ...(await systemEnvironment(dataDir)), BEHALF_DATA_DIR: dataDir })
    expect(await sameFolder.exited).toEqual([1, null])
    expect(sameFolder.output()).toMatch(/Another "npm start" \(process \d+\) uses/)
    // Of connections that nobody uses, pools let go.
    const lasting = processes.filter(({ command }) => !/^postgres: .* idle$/.test(command))
    expect(stillRunning(lasting)).toEqual(lasting)

    system.interrupt()
    // npm ends as its shell did, which Ctrl-C interrupted too; the system itself ended in order.
    expect(await system.exited).toEqual([null, 'SIGINT'])
    expect(system.output()).toContain('Stopping.')
    expect(stillRunning(processes)).toEqual([])
  },
  slow,
)

test(
  'a port that is taken is named before anything starts',
  async () => {
    const env = await systemEnvironment(dataDir)
    const { createServer } = await import('node:net')
    const other = createServer().listen(Number(env['ORDERS_PORT']), '127.0.0.1')
    await once(other, 'listening')
    await expect(startSystem({ env, dataDir })).rejects.toThrow(
      `${env['ORDERS_PORT']} for orders: ORDERS_PORT=<another port>`,
    )
    other.close()
  },
  slow,
)

test(
  'a supervisor that is killed leaves nothing, and the next start works',
  async () => {
    const first = await start()
    const processes = descendantsOf(first.process.pid!)
    expect(processes.length).toBeGreaterThan(6)
    first.process.kill('SIGKILL')
    await once(first.process, 'exit')

    const next = await start()
    expect(stillRunning(processes)).toEqual([])
    const { body } = await next.graphql(await next.token('ada'), '{ viewer { id } }')
    expect(body.data).toEqual({ viewer: { id: 'usr_ada' } })
  },
  slow,
)

test(
  'a PostgreSQL that outlived everything is ended by the next start, and its data is there',
  async () => {
    const first = await (running ?? start())
    const processes = descendantsOf(first.process.pid!)
    const guard = processes.find(({ command }) => command.includes('guard'))
    const postgres = processes.filter(({ command }) => /bin\/postgres /.test(command))
    process.kill(guard!.pid, 'SIGKILL')
    first.process.kill('SIGKILL')
    await once(first.process, 'exit')
    expect(stillRunning(postgres)).toHaveLength(1)

    const next = await start()
    expect(stillRunning(processes)).toEqual([])
    const { body } = await next.graphql(await next.token('ada'), '{ viewer { id } }')
    expect(body.data).toEqual({ viewer: { id: 'usr_ada' } })
  },
  slow,
)

test(
  'neither the root key nor a token is in a log',
  async () => {
    const system = await (running ?? start())
    const token = await system.token('ada')
    await system.graphql(token, '{ viewer { id balance { amount } } }')
    for (const name of ['gateway', 'identity', 'orders', 'balance', 'orchestrator', 'provider'] as const) {
      const log = await system.log(name)
      expect(log).not.toContain(system.rootKey)
      expect(log).not.toContain(token)
    }
    // It is this request's log, in which they would be.
    expect(await system.log('identity')).toContain('usr_ada')
  },
  slow,
)

test(
  'a process that dies is named with its last lines, and the rest is stopped',
  async () => {
    const system = await (running ?? start())
    await leave()
    const processes = descendantsOf(system.process.pid!)
    const orders = processes.find(({ command }) => command.includes('apps/orders'))
    process.kill(orders!.pid, 'SIGKILL')
    const [code] = (await once(system.process, 'close')) as [number]
    expect(code).toBe(1)
    expect(system.output()).toMatch(/orders ended \(SIGKILL\)\. Its last lines, from .*orders\.log:/)
    expect(stillRunning(processes)).toEqual([])
  },
  slow,
)

test(
  'a PostgreSQL that dies is named, and the rest is stopped',
  async () => {
    const system = await start()
    await leave()
    const processes = descendantsOf(system.process.pid!)
    const postgres = processes.find(({ command }) => /bin\/postgres /.test(command))
    process.kill(postgres!.pid, 'SIGKILL')
    const [code] = (await once(system.process, 'close')) as [number]
    expect(code).toBe(1)
    expect(system.output()).toMatch(/^PostgreSQL ended: /m)
    expect(stillRunning(processes)).toEqual([])
  },
  slow,
)

test(
  'stopped while it starts, it leaves nothing either',
  async () => {
    const system = npmStart(await systemEnvironment(dataDir))
    await system.until(/^ {2}PostgreSQL/m)
    const processes = descendantsOf(system.child.pid!)
    system.interrupt()
    await system.exited
    expect(stillRunning(processes)).toEqual([])
  },
  slow,
)

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'npm ended by %s leaves nothing',
  async (signal) => {
    const system = npmStart(await systemEnvironment(dataDir))
    await system.until('Ctrl-C stops everything.')
    const processes = descendantsOf(system.child.pid!)
    system.child.kill(signal)
    await vi.waitFor(() => expect(stillRunning(processes)).toEqual([]), { timeout: 20_000 })
    // The system had the time to end in order: PostgreSQL was told to stop, nothing was cut off.
    expect(system.output()).not.toContain('was killed')
  },
  slow,
)

test(
  'faults of the environment are reported together, without a stack',
  async () => {
    const env = await systemEnvironment(dataDir)
    const [port] = await freePorts(1)
    const failing = npmStart({ ...env, NODE_ENV: 'production', GATEWAY_PORT: 'x', IDP_PORT: String(port) })
    expect(await failing.exited).toEqual([2, null])
    expect(failing.output()).toContain('NODE_ENV: production is refused')
    expect(failing.output()).toContain('GATEWAY_PORT: not a port number')
    expect(failing.output()).not.toMatch(/^\s+at /m)
  },
  slow,
)
