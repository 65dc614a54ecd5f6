import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, cp, mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { runtimeUser } from './runtime-user.ts'

/** Where root keeps what PostgreSQL, which root runs as another user, cannot reach in root's own folders. */
const passableFolder = '/var/lib/behalf'

/** Whether PostgreSQL's user can come to what is in this folder: only root's PostgreSQL has another user than we are. */
export async function isPassable(folder: string): Promise<boolean> {
  return runtimeUser().uid === undefined || (await everyoneMayPass(folder))
}

/**
 * Where a data folder really is: where it was asked for, or, if root asks for one in a folder of its own such as
 * `/root/behalf`, the same one at each start in `/var/lib/behalf`.
 */
export async function passableDataDir(dataDir: string): Promise<string> {
  if (await isPassable(dirname(dataDir))) return dataDir
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16)
  await makePassableFolder()
  return join(passableFolder, `data-${name}`)
}

/** A copy of a folder of programs that PostgreSQL's user can reach, made once for each version. */
export async function passableCopy(folder: string, version: string): Promise<string> {
  const copy = join(passableFolder, `${basename(folder)}-${version}`)
  if (await stat(copy).catch(() => null)) return copy
  await makePassableFolder()
  const unfinished = `${copy}.${randomBytes(6).toString('hex')}`
  await cp(folder, unfinished, { recursive: true, verbatimSymlinks: true })
  await promisify(execFile)('chmod', ['-R', 'go+rX', unfinished])
  // Another process may have been first; its copy is as good.
  await rename(unfinished, copy).catch(() => rm(unfinished, { recursive: true, force: true }))
  return copy
}

/** Whatever the umask: it is the point of this folder that others may enter it. */
async function makePassableFolder(): Promise<void> {
  await mkdir(passableFolder, { recursive: true })
  await chmod(passableFolder, 0o755)
}

async function everyoneMayPass(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => null)
  if (found?.isDirectory() && (found.mode & 0o001) === 0) return false
  const above = dirname(folder)
  return above === folder || everyoneMayPass(above)
}
