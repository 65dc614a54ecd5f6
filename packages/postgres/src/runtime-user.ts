import { execFileSync } from 'node:child_process'
import { userInfo } from 'node:os'

/** Ids to run PostgreSQL with; none where it runs as whoever we are. */
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
    return Number.parseInt(
      execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
      10,
    )
  } catch {
    return undefined
  }
}
