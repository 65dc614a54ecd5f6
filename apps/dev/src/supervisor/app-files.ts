import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { App } from '@behalf/composition'

/** What of an app is another when a file is. */
export type FilePart = 'manifest' | 'schema' | 'tools' | 'migrations' | 'code'

/** A file by which a running app is made. */
export interface AppFile {
  readonly app: string
  readonly part: FilePart
  /** Relative to the root of the repository, with forward slashes. */
  readonly path: string
}

/** Files by path, with what they were: `stamp` is another whenever `digest` is. */
export type AppFiles = ReadonlyMap<string, AppFile & { readonly stamp: string; readonly digest: string }>

const unserved = /(^|\/)(generated|fixtures)\/|\.test\.ts$|fixture[^/]*$/

/** Every file that a running app was made of, but for packages. Those that did not change since `before` are not read. */
export async function readAppFiles(root: string, apps: readonly App[], before: AppFiles): Promise<AppFiles> {
  const files = new Map<string, AppFile & { readonly stamp: string; readonly digest: string }>()
  for (const app of apps) {
    const entries = await Promise.all(
      ['src', 'tools', 'migrations'].map((folder) => filesIn(join(app.directory, folder))),
    )
    for (const absolute of [join(app.directory, 'behalf.json'), ...entries.flat()]) {
      const part = partOf(app, absolute)
      const found = part && (await stat(absolute).catch(() => null))
      if (part === null || !found) continue
      const path = slashed(relative(root, absolute))
      const stamp = `${found.mtimeMs} ${found.size} ${found.ino}`
      const known = before.get(path)
      const digest = known?.stamp === stamp ? known.digest : await digestOf(absolute)
      if (digest !== null) files.set(path, { app: app.name, part, path, stamp, digest })
    }
  }
  return files
}

/** Files that are there and were not, are not and were, or are others. */
export function changedFiles(before: AppFiles, after: AppFiles): AppFile[] {
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((path) => {
    const file = after.get(path) ?? before.get(path)
    return file === undefined || before.get(path)?.digest === after.get(path)?.digest ? [] : [file]
  })
}

function partOf({ directory, schema }: App, absolute: string): FilePart | null {
  if (absolute === schema) return 'schema'
  const path = slashed(relative(directory, absolute))
  if (path === 'behalf.json') return 'manifest'
  if (path.startsWith('tools/')) return path.endsWith('.graphql') ? 'tools' : null
  if (path.startsWith('migrations/')) return path.endsWith('.sql') ? 'migrations' : null
  return unserved.test(path) ? null : 'code'
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** Null where it is gone by now. */
const digestOf = async (path: string) =>
  readFile(path).then(
    (bytes) => createHash('sha256').update(bytes).digest('base64url'),
    () => null,
  )

const slashed = (path: string) => path.split(sep).join('/')
