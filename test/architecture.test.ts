import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { importsOf, isTestFile, violations, type Workspace } from './support/imports.ts'

const root = join(import.meta.dirname, '..')

/** Apps with a behalf.json, but for those that the table has. */
const subgraphsMayImport = ['@behalf/subgraph', '@behalf/postgres', '@behalf/process', '@behalf/identity']

/** Who may import whom. A new edge is a decision with a page in docs/decisions/. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    globSync('apps/*/behalf.json', { cwd: root }).map((path) => [`@app/${path.split(/[/\\]/)[1]}`, subgraphsMayImport]),
  ),
  '@behalf/identity': [],
  '@behalf/postgres': ['@behalf/identity'],
  '@behalf/process': [],
  '@behalf/authority': ['@behalf/identity', '@behalf/postgres'],
  '@behalf/composition': ['@behalf/identity'],
  '@behalf/gateway': ['@behalf/identity', '@behalf/process'],
  '@behalf/subgraph': ['@behalf/identity', '@behalf/postgres', '@behalf/process'],
  '@behalf/tools': ['@behalf/identity'],
  '@behalf/mcp': ['@behalf/identity', '@behalf/tools'],
  '@behalf/orchestration': ['@behalf/identity'],
  '@behalf/generators': [],
  '@behalf/cli': ['@behalf/authority', '@behalf/composition', '@behalf/identity', '@behalf/postgres'],
  '@behalf/testing': ['@behalf/identity', '@behalf/postgres', '@behalf/subgraph'],
  '@app/gateway': [
    '@behalf/gateway',
    '@behalf/authority',
    '@behalf/tools',
    '@behalf/mcp',
    '@behalf/process',
    '@behalf/identity',
  ],
  '@app/orchestrator': [...subgraphsMayImport, '@behalf/orchestration'],
  '@app/dev': ['@behalf/postgres', '@behalf/identity', '@behalf/composition', '@behalf/authority', '@behalf/process'],
}

const workspaces: Workspace[] = globSync('{apps,packages}/*/package.json', { cwd: root }).map((path) => {
  const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Record<string, Record<string, string>> & {
    name: string
  }
  const directory = dirname(path)
  return {
    name: manifest.name,
    dependencies: Object.keys(manifest['dependencies'] ?? {}),
    devDependencies: Object.keys(manifest['devDependencies'] ?? {}),
    files: globSync(`${directory}/src/**/*.ts`, { cwd: root }).map((file) => ({
      path: relative(root, join(root, file)),
      isTest: isTestFile(file),
      imports: importsOf(readFileSync(join(root, file), 'utf8')),
    })),
  }
})

describe('who imports whom', () => {
  it('is the table, the package.json files and the code alike', () => {
    expect(workspaces.length).toBeGreaterThan(10)
    expect(violations(workspaces, mayImport)).toEqual([])
  })

  const planted = (more: Partial<Workspace>): Workspace[] => [
    { name: '@behalf/tools', dependencies: [], devDependencies: [], files: [], ...more },
  ]
  const file = (path: string, ...imports: string[]) => ({ path, isTest: isTestFile(path), imports })

  it.each([
    ['an edge that is not in the table', { dependencies: ['@behalf/gateway'] }],
    ['an import that is not in the package.json', { files: [file('packages/tools/src/a.ts', '@behalf/identity')] }],
    [
      'a package that imports an app',
      { dependencies: ['@app/orders'], files: [file('packages/tools/src/a.ts', '@app/orders')] },
    ],
    [
      'a relative import of another workspace',
      { files: [file('packages/tools/src/a.ts', '../../identity/src/keys.ts')] },
    ],
    [
      'a deep import',
      { dependencies: ['@behalf/identity'], files: [file('packages/tools/src/a.ts', '@behalf/identity/src/keys.ts')] },
    ],
    [
      'testing outside tests',
      { devDependencies: ['@behalf/testing'], files: [file('packages/tools/src/a.ts', '@behalf/testing')] },
    ],
    [
      "Apollo's Elastic packages elsewhere",
      { dependencies: ['@apollo/gateway'], files: [file('packages/tools/src/a.ts', '@apollo/gateway')] },
    ],
    ['a fixture outside tests', { files: [file('packages/tools/src/a.ts', './model-fixture.ts')] }],
    ['a file of fixtures outside tests', { files: [file('packages/tools/src/a/b.ts', '../fixtures/model.ts')] }],
    ['a test that is imported', { files: [file('packages/tools/src/a.ts', './b.test.ts')] }],
    ['a workspace that is not in the table', { name: '@behalf/surprise' }],
  ])('goes red for %s', (_what, more) => {
    expect(violations(planted(more), mayImport)).toHaveLength(1)
  })

  it('stays green for tests that use testing and fixtures, and for fixtures of fixtures', () => {
    const files = [
      file('packages/tools/src/a.test.ts', '@behalf/testing', '../src/b.ts', './b-fixture.ts', 'node:fs'),
      file('packages/tools/src/b-fixture.ts', '@behalf/testing', './fixtures/c.ts'),
    ]
    expect(violations(planted({ devDependencies: ['@behalf/testing'], files }), mayImport)).toEqual([])
  })
})

describe('trust stays in few places', () => {
  const sources = workspaces.flatMap(({ files }) => files.filter(({ isTest }) => !isTest).map(({ path }) => path))
  const filesWith = (pattern: RegExp) =>
    sources.filter((path) => pattern.test(readFileSync(join(root, path), 'utf8'))).toSorted()

  it('a Principal is made in one file, and in one of the test kit', () => {
    expect(filesWith(/\bas (unknown as )?Principal\b/)).toEqual([
      'packages/gateway/src/authenticate/principal.ts',
      'packages/testing/src/test-principal.ts',
    ])
  })

  it('and by those who verified a credential or read a delegation', () => {
    expect(filesWith(/\btoPrincipal\b/)).toEqual([
      'packages/gateway/src/authenticate/authenticate.ts',
      'packages/gateway/src/authenticate/principal.ts',
    ])
  })

  it('an Identity is made in one file', () => {
    expect(filesWith(/\bas (unknown as )?Identity\b/)).toEqual(['packages/identity/src/verify-context.ts'])
  })

  it('stored work is resumed by the worker of the orchestrator only', () => {
    expect(filesWith(/\bstoredCaller\b/).filter((path) => !path.startsWith('packages/postgres/'))).toEqual([
      'apps/orchestrator/src/worker.ts',
    ])
  })
})

interface Manifest {
  readonly version: string
  readonly private?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}
const isOurs = (name: string) => name.startsWith('@behalf/')

describe('what is installed', () => {
  const copies = (name: string) =>
    globSync(`node_modules/**/${name}/package.json`, { cwd: root }).filter((path) =>
      path.endsWith(`node_modules/${name}/package.json`),
    )

  it.each(['graphql', '@apollo/federation-internals'])('holds one copy of %s', (name) => {
    expect(copies(name)).toEqual([`node_modules/${name}/package.json`])
  })

  const manifests = (pattern: string) =>
    globSync(pattern, { cwd: root }).map((path) => {
      const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest
      const { dependencies = {}, devDependencies = {} } = manifest
      return { path, manifest, all: Object.entries({ ...dependencies, ...devDependencies }) }
    })

  it('is pinned exactly, but what apps and tests have of this repository', () => {
    const isExact = (version: string) => /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)
    const loose = manifests('{.,test,apps/*,packages/*}/package.json').flatMap(({ path, manifest, all }) =>
      all
        .filter(([name, version]) => !isExact(version) && !(manifest.private && isOurs(name) && version === '*'))
        .map(([name]) => `${path}: ${name}`),
    )
    expect(loose).toEqual([])
  })

  it('is of one version where it is published, which npm resolves to what is here', () => {
    const published = manifests('packages/*/package.json')
    expect(published.length).toBeGreaterThan(10)
    expect(published.filter(({ manifest }) => manifest.private).map(({ path }) => path)).toEqual([])
    const versions = published.flatMap(({ manifest, all }) => [
      manifest.version,
      ...all.filter(([name]) => isOurs(name)).map(([, version]) => version),
    ])
    expect([...new Set(versions)]).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+$/)])
  })

  it('is for every machine: what packages have for other platforms is in the lock file', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { readonly optionalDependencies?: Record<string, string> }>
    }
    /** Where npm looks for what is at `path`: beside it, and in each folder above. */
    const isLocked = (path: string, name: string): boolean =>
      Object.hasOwn(packages, join(path, 'node_modules', name)) ||
      (path !== '' && isLocked(path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))), name))
    const asked = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).map((name) => [path, name] as const),
    )
    expect(asked.length).toBeGreaterThan(30)
    expect(asked.filter(([path, name]) => !isLocked(path, name))).toEqual([])
  })

  it('names no registry host in the lock file', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "https?:/)
  })
})
