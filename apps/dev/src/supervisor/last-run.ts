import { appendFileSync, readFileSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const patience = 5000
/** More than the grace of exit-with-parent.ts: what is there after that does not notice anything. */
const childPatience = 6000

/** What is known of the supervisor that used a data folder before. */
export type LastRun = 'ended' | 'killed' | { readonly runningAs: number }

/** Whether the last supervisor of this folder ended in order, was killed, or still runs. */
export async function findLastRun(dataDir: string): Promise<LastRun> {
  const pid = Number.parseInt(await readFile(recordOf(dataDir), 'utf8').catch(() => ''), 10)
  if (!Number.isSafeInteger(pid)) return 'ended'
  return isAlive(pid) && programOf(pid, 'cmdline', 'dev/src/main.ts') ? { runningAs: pid } : 'killed'
}

export interface RunRecord extends AsyncDisposable {
  /** Records a process that this one started, and that is to end with it. */
  add(pid: number): void
}

/** Records that this process uses the folder, until disposed. */
export async function recordRun(dataDir: string): Promise<RunRecord> {
  const path = recordOf(dataDir)
  await writeFile(path, `${process.pid}\n`)
  return {
    add: (pid) => appendFileSync(path, `${pid}\n`),
    [Symbol.asyncDispose]: () => rm(path, { force: true }),
  }
}

/**
 * Waits for the processes of a killed supervisor, which end by themselves, and kills those that do not: with another
 * system beside them they would go on with its database, its ports and its logs.
 *
 * @param within milliseconds
 */
export async function endLeftovers(dataDir: string, within = childPatience): Promise<void> {
  const [, ...lines] = (await readFile(recordOf(dataDir), 'utf8').catch(() => '')).trim().split('\n')
  const pids = lines.map(Number).filter((pid) => Number.isSafeInteger(pid) && pid > 0)
  const left = () => pids.filter((pid) => isAlive(pid) && programOf(pid, 'cmdline', 'exit-with-parent'))
  for (const end = performance.now() + within; left().length > 0 && performance.now() < end;) await delay(50)
  // Where the system does not tell what runs, it may be somebody else's by now.
  if (process.platform !== 'linux') return
  for (const pid of left()) process.kill(pid, 'SIGKILL')
  for (const end = performance.now() + patience; left().length > 0 && performance.now() < end;) await delay(50)
}

/**
 * Stops a PostgreSQL that outlived a killed supervisor. It goes by itself when its parent does; this is for when
 * that was killed with everything else. PostgreSQL's lock file names the server and its folder.
 */
export async function stopLeftoverPostgres(postgresDir: string): Promise<void> {
  const lock = await readFile(join(postgresDir, 'postmaster.pid'), 'utf8').catch(() => '')
  const [pidLine = '', directory = ''] = lock.split('\n')
  const pid = Number.parseInt(pidLine, 10)
  if (!Number.isSafeInteger(pid) || pid <= 0 || resolve(directory) !== resolve(postgresDir)) return
  if (!isAlive(pid) || !programOf(pid, 'comm', 'postgres')) return
  process.kill(pid, 'SIGINT')
  for (const end = performance.now() + patience; isAlive(pid) && performance.now() < end;) await delay(50)
}

/**
 * Records the administrator's way into the database of this folder's system, for commands that are run beside it;
 * until disposed. For the owner only: it has a password in it.
 */
export async function recordDatabase(dataDir: string, adminUrl: string): Promise<AsyncDisposable> {
  const path = databaseOf(dataDir)
  // Of a supervisor that was killed: its permissions would be kept.
  await rm(path, { force: true })
  await writeFile(path, `${adminUrl}\n`, { mode: 0o600 })
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
}

/** The administrator's way into the database of the system that runs in this folder; null if none does. */
export async function findDatabase(dataDir: string): Promise<string | null> {
  if (typeof (await findLastRun(dataDir)) === 'string') return null
  const url = await readFile(databaseOf(dataDir), 'utf8').catch(() => '')
  return url.trim() || null
}

const databaseOf = (dataDir: string) => join(dataDir, 'database-url')
const recordOf = (dataDir: string) => join(dataDir, 'supervisor.pid')

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there and belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Process ids are given out again, in containers often the same; where the system tells, what runs is looked at. */
function programOf(pid: number, file: 'cmdline' | 'comm', expected: string): boolean {
  if (process.platform !== 'linux') return true
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(expected)
  } catch {
    return false
  }
}
