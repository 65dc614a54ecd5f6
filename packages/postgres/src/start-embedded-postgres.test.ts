import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startEmbeddedPostgres } from './embedded.ts'

const root = process.getuid?.() === 0
const script = fileURLToPath(new URL('../fixtures/own-postgres.ts', import.meta.url))
let dataDir: string
beforeEach(async () => {
  const parent = await mkdtemp(join(tmpdir(), 'behalf-embedded-'))
  // The database may run as another user, who has to pass through.
  await chmod(parent, 0o755)
  dataDir = join(parent, 'data')
})
afterEach(() => rm(join(dataDir, '..'), { recursive: true, force: true }))

async function ask(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  // The server may end while this connection does: what is lost fails the query that waits for it.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
const setting = async (url: string, name: string) => (await ask(url, `select current_setting('${name}') as value`))[0]
const reachable = (url: string) =>
  ask(url, 'select 1').then(
    () => true,
    () => false,
  )
const directoryOf = async (url: string) => ((await setting(url, 'data_directory')) as { value: string }).value
const gone = (path: string) =>
  stat(path).then(
    () => false,
    () => true,
  )

/** Another process that owns a database: the first thing it says, and the process. */
async function elsewhere(
  args: string[],
  user: { uid?: number; gid?: number } = {},
): Promise<{ child: ChildProcess; url: string; signals: number }> {
  const child = spawn(process.execPath, ['--conditions=@behalf/source', script, ...args], {
    ...user,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, ...(JSON.parse(line.toString()) as { url: string; signals: number }) }
}

describe('a temporary database', () => {
  it('is gone with its folder when it is closed', async () => {
    const database = await startEmbeddedPostgres()
    const directory = await directoryOf(database.url)
    await Promise.all([database.close(), database.close()])
    expect(await reachable(database.url)).toBe(false)
    expect(await gone(directory)).toBe(true)
  })

  it('is fast, on loopback only, without a socket file, and asks for its password', async () => {
    await using database = await startEmbeddedPostgres()
    expect(await setting(database.url, 'server_version')).toMatchObject({ value: expect.stringMatching(/^18\./) })
    expect(await setting(database.url, 'fsync')).toEqual({ value: 'off' })
    expect(await setting(database.url, 'listen_addresses')).toEqual({ value: '127.0.0.1' })
    expect(await setting(database.url, 'unix_socket_directories')).toEqual({ value: '' })
    const wrong = Object.assign(new URL(database.url), { password: 'password' }).href
    await expect(ask(wrong, 'select 1')).rejects.toMatchObject({ code: '28P01' })
    expect((await stat(join(await directoryOf(database.url), 'behalf-password'))).mode & 0o077).toBe(0)
  })

  it('installs no handlers of signals or of the end of the process', async () => {
    const count = () =>
      ['SIGINT', 'SIGTERM', 'SIGHUP', 'exit', 'beforeExit', 'uncaughtException'].map((event) =>
        process.listenerCount(event),
      )
    const before = count()
    await using database = await startEmbeddedPostgres()
    expect(await reachable(database.url)).toBe(true)
    expect(count()).toEqual(before)
  })
})

describe('the process that started it', () => {
  it.each(['SIGKILL', 'SIGINT'] as const)('dies by %s, and the database goes, with its folder', async (signal) => {
    const { child, url } = await elsewhere([])
    const directory = await directoryOf(url)
    child.kill(signal)
    const [code, by] = (await once(child, 'exit')) as [number | null, string | null]
    expect([code, by]).toEqual([null, signal])
    await expect.poll(() => reachable(url), { timeout: 10_000 }).toBe(false)
    await expect.poll(() => gone(directory), { timeout: 10_000 }).toBe(true)
  })

  it.runIf(root)('may be another user than root', async () => {
    const { child, url } = await elsewhere([], { uid: 65534, gid: 65534 })
    expect(await reachable(url)).toBe(true)
    child.kill('SIGTERM')
    await expect.poll(() => reachable(url), { timeout: 10_000 }).toBe(false)
  })
})

describe('a database that persists', () => {
  it('keeps rows and password, and survives power loss', async () => {
    const first = await startEmbeddedPostgres({ dataDir })
    expect(await setting(first.url, 'fsync')).toEqual({ value: 'on' })
    await ask(first.url, 'create table kept as select 1 as one')
    await first.close()
    await using second = await startEmbeddedPostgres({ dataDir })
    expect(await ask(second.url, 'table kept')).toEqual([{ one: 1 }])
    expect(new URL(second.url).password).toBe(new URL(first.url).password)
  })

  it('starts again after its server was killed', async () => {
    const first = await startEmbeddedPostgres({ dataDir })
    await ask(first.url, 'create table kept as select 1 as one')
    const pid = Number.parseInt(await readFile(join(dataDir, 'postmaster.pid'), 'utf8'), 10)
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => reachable(first.url)).toBe(false)
    await first.close()
    expect(await gone(join(dataDir, 'postmaster.pid'))).toBe(false)
    await using second = await startEmbeddedPostgres({ dataDir })
    expect(await ask(second.url, 'table kept')).toEqual([{ one: 1 }])
  })

  it('starts though its old process id now belongs to some other program', async () => {
    await (await startEmbeddedPostgres({ dataDir })).close()
    await writeFile(join(dataDir, 'postmaster.pid'), `${process.pid}\n${dataDir}\n0\n1\n\n127.0.0.1\n`)
    await using second = await startEmbeddedPostgres({ dataDir })
    expect(await reachable(second.url)).toBe(true)
  })

  it('says who uses it where somebody does, and leaves that one alone', async () => {
    await using first = await startEmbeddedPostgres({ dataDir })
    const pid = Number.parseInt(await readFile(join(dataDir, 'postmaster.pid'), 'utf8'), 10)
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(`in use by another PostgreSQL (process ${pid})`)
    expect(await reachable(first.url)).toBe(true)
  })

  it.skipIf(process.platform === 'win32')(
    'is in a process group of its own, where Ctrl-C in a terminal does not reach it',
    async () => {
      await using database = await startEmbeddedPostgres({ dataDir })
      expect(await reachable(database.url)).toBe(true)
      const pid = Number.parseInt(await readFile(join(dataDir, 'postmaster.pid'), 'utf8'), 10)
      const groupOf = (id: number) => execFileSync('ps', ['-o', 'pgid=', '-p', String(id)], { encoding: 'utf8' }).trim()
      expect(groupOf(pid)).not.toBe(groupOf(process.pid))
    },
  )

  it('needs a place to be', async () => {
    await expect(startEmbeddedPostgres({ persistent: true })).rejects.toThrow('needs a dataDir')
  })
})

it('makes the folders above its own, through which its user can pass', async () => {
  await using database = await startEmbeddedPostgres({ dataDir: join(dataDir, 'of/postgres'), persistent: false })
  expect(await directoryOf(database.url)).toBe(join(dataDir, 'of/postgres'))
})

it('says so when its port is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await expect(startEmbeddedPostgres({ port })).rejects.toThrow('Address already in use')
  server.close()
  await once(server, 'close')
  await using database = await startEmbeddedPostgres({ port })
  expect(new URL(database.url).port).toBe(String(port))
})

it('says so when a data folder is not one', async () => {
  await writeFile(dataDir, 'a file')
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(/EEXIST|ENOTDIR/)
})
