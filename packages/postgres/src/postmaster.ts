import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { platform } from 'node:os'
import { join } from 'node:path'
import type { Binaries } from './embedded-binaries.ts'
import type { RuntimeUser } from './runtime-user.ts'

const windows = platform() === 'win32'
/** Nothing of our environment reaches the server, and it answers in the language that we look for. */
const environment = windows ? undefined : { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

export interface Postmaster {
  readonly port: number
  stop(): Promise<void>
}

export interface PostmasterOptions {
  readonly binaries: Binaries
  readonly user: RuntimeUser
  readonly dataDir: string
  readonly port: number
  readonly persistent: boolean
  /** Whether the data folder goes when this process dies without stopping it. */
  readonly removeOnExit: boolean
}

/** Starts the server and waits until it accepts connections. */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const { binaries, user, dataDir, port } = options
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    lc_messages: 'C',
    ...(options.persistent ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  // A process group of its own: Ctrl-C in a terminal is for the process that stops everything in the right order.
  const child = spawn(binaries.postgres, ['-D', dataDir, ...flags], {
    ...user,
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: !windows,
    windowsHide: true,
  })
  await accepting(child, dataDir)
  const guard = watchParent(child, options)
  child.unref()
  return {
    port,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.ref()
        const exited = once(child, 'exit')
        // Fast shutdown: sessions are ended, the data is left clean.
        if (windows) await run(binaries.pg_ctl, ['stop', '-D', dataDir, '-m', 'fast'], user)
        else child.kill('SIGINT')
        await exited
      }
      guard?.kill('SIGKILL')
    },
  }
}

async function accepting(child: ChildProcess, dataDir: string): Promise<void> {
  let words = ''
  await new Promise<void>((done, failed) => {
    child.once('error', failed)
    child.once('exit', () => failed(refusal(words, dataDir)))
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      words = (words + chunk).slice(-4096)
      if (words.includes('database system is ready to accept connections')) done()
    })
  })
  child.removeAllListeners('exit')
  // What it logs from now on is read, so that it never blocks, and dropped: queries may hold data of users.
  child.stderr?.removeAllListeners('data').resume()
  if (child.stderr && 'unref' in child.stderr && typeof child.stderr.unref === 'function') child.stderr.unref()
}

function refusal(words: string, dataDir: string): Error {
  const other = /Is another postmaster \(PID (\d+)\) running/.exec(words)?.[1]
  if (other !== undefined) {
    return new Error(
      `The database in ${dataDir} is in use by another PostgreSQL (process ${other}). Stop that one first.`,
    )
  }
  return new Error(`PostgreSQL did not start in ${dataDir}: ${words.trim()}`)
}

/** Waits for the end of a pipe that only this process holds open, then stops the server: holds even for SIGKILL. */
function watchParent(child: ChildProcess, { dataDir, removeOnExit }: PostmasterOptions): ChildProcess | undefined {
  if (windows || child.pid === undefined) return undefined
  const script =
    'cat >/dev/null; kill -INT "$1" || exit 0; [ -z "$2" ] && exit 0; ' +
    'while kill -0 "$1" 2>/dev/null; do sleep 0.1; done; rm -rf -- "$2"'
  const guard = spawn('/bin/sh', ['-c', script, 'guard', String(child.pid), removeOnExit ? dataDir : ''], {
    env: environment,
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.unref()
  if (guard.stdin && 'unref' in guard.stdin && typeof guard.stdin.unref === 'function') guard.stdin.unref()
  return guard
}

/** Runs a program to its end; throws what it wrote to its error output if it fails. */
export async function run(program: string, args: readonly string[], user: RuntimeUser): Promise<void> {
  const child = spawn(program, args, {
    ...user,
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    windowsHide: true,
  })
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (words = (words + chunk).slice(-4096)))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${program} failed: ${words.trim()}`)
}

/**
 * Removes the lock file of a server that is gone where PostgreSQL itself would be misled: its process id now belongs
 * to some other program, as happens at every restart of a container. All other cases are PostgreSQL's to decide.
 */
export async function clearForeignLock(dataDir: string): Promise<void> {
  const lock = join(dataDir, 'postmaster.pid')
  const pid = Number.parseInt(await readFile(lock, 'utf8').catch(() => ''), 10)
  if (windows || !Number.isSafeInteger(pid) || pid <= 0) return
  const program = await programOf(pid)
  if (program !== undefined && !program.includes('postgres')) await rm(lock, { force: true })
}

async function programOf(pid: number): Promise<string | undefined> {
  if (platform() === 'linux') return readFile(`/proc/${pid}/comm`, 'utf8').catch(() => undefined)
  try {
    return execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return undefined
  }
}
