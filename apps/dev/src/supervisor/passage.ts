import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The first folder on the way to `path` that other users may not pass through; null if they may, or it is not there. */
export async function closedFolder(path: string): Promise<string | null> {
  const above = dirname(path)
  const closed = above === path ? null : await closedFolder(above)
  if (closed !== null) return closed
  const found = await stat(path).catch(() => null)
  return found?.isDirectory() && (found.mode & 0o001) === 0 ? path : null
}
