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

/** A copy of this repository without its packages, for whoever changes it. */
export async function copyRepository(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'behalf-clone-'))
  await cp(root, copy, { recursive: true, filter: (path) => path === root || !left.has(basename(path)) })
  return copy
}

/** One with its packages, as after `npm ci`. */
export async function cloneRepository(): Promise<string> {
  const clone = await copyRepository()
  for (const folder of ['', 'packages/process']) {
    const paths = [join(root, folder, 'node_modules'), join(clone, folder)]
    // Linked, where both are on one disk.
    await run('cp', ['-al', ...paths]).catch(() => run('cp', ['-a', ...paths]))
  }
  return clone
}
