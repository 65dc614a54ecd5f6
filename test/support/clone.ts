import { execFile } from 'node:child_process'
import { cp, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './system.ts'

const run = promisify(execFile)
/** What git ignores, and git's own. */
const left = new Set([
  'node_modules',
  '.git',
  '.turbo',
  '.behalf',
  '.reports',
  '.nx',
  'dist',
  'graph.json',
  'generated',
])

/** A copy of this repository with its packages, as after `npm ci`, for whoever changes it. */
export async function cloneRepository(): Promise<string> {
  const clone = await mkdtemp(join(tmpdir(), 'behalf-clone-'))
  await cp(root, clone, { recursive: true, filter: (path) => !left.has(basename(path)) })
  for (const folder of ['', 'packages/process']) {
    const paths = [join(root, folder, 'node_modules'), join(clone, folder)]
    // Linked, where both are on one disk.
    await run('cp', ['-al', ...paths]).catch(() => run('cp', ['-a', ...paths]))
  }
  return clone
}
