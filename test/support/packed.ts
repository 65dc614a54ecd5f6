import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './system.ts'

const run = promisify(execFile)

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** A package as a registry would be given it. */
export interface Tarball {
  readonly path: string
  readonly manifest: Manifest
}

/** A folder of nobody's, outside the repository; removed with all that is in it. */
export async function cleanFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'behalf-packed-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Variables without those by which turbo and npm know that they were started by themselves. */
export const cleanEnvironment = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  ...Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || /^(npm_(?!config_)|TURBO_|VITEST|NODE_ENV$|NODE_OPTIONS$)/.test(name)
        ? []
        : [[name, value]],
    ),
  ),
  ...more,
})

/** Builds all packages and packs them, as `npm publish` would. */
export async function packAll(into: string): Promise<readonly Tarball[]> {
  const options = { cwd: root, env: cleanEnvironment(), maxBuffer: 2 ** 26 }
  await run('npx', ['turbo', 'run', 'build', '--filter=./packages/*'], options)
  const folders = await readdir(join(root, 'packages'))
  const workspaces = folders.flatMap((folder) => ['-w', `packages/${folder}`])
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', into, ...workspaces], options)
  const packed = JSON.parse(stdout) as readonly { readonly filename: string; readonly name: string }[]
  return Promise.all(
    packed.map(async ({ filename, name }) => {
      const source = join(root, 'packages', name.replace('@behalf/', ''), 'package.json')
      return { path: join(into, filename), manifest: JSON.parse(await readFile(source, 'utf8')) as Manifest }
    }),
  )
}

/** Copies an example and installs it, with packages from tarballs and everything else from the registry or npm's cache. */
export async function installExample(example: string, into: string, tarballs: readonly Tarball[]): Promise<void> {
  const left = new Set(['node_modules', '.data', 'graph.json'])
  await cp(join(root, 'examples', example), into, {
    recursive: true,
    filter: (path) => !left.has(path.slice(path.lastIndexOf('/') + 1)),
  })
  const file = join(into, 'package.json')
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Record<string, Record<string, string>>
  for (const { path, manifest: packed } of tarballs) {
    const part = manifest['dependencies']?.[packed.name] === undefined ? 'devDependencies' : 'dependencies'
    manifest[part] = { ...manifest[part], [packed.name]: `file:${path}` }
  }
  await writeFile(file, JSON.stringify(manifest, null, 2))
  const install = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--fetch-retries=1']
  const options = { cwd: into, env: cleanEnvironment(), maxBuffer: 2 ** 26, timeout: 300_000 }
  // The registry is asked for what npm's cache does not have, and for nothing otherwise.
  await run('npm', [...install, '--offline'], options).catch(() =>
    run('npm', [...install, '--prefer-offline'], options),
  )
}
