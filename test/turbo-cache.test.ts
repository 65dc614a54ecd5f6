import { execFile } from 'node:child_process'
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyRepository } from './support/clone.ts'
import { root } from './support/system.ts'

const run = promisify(execFile)
let copy: string
beforeAll(async () => {
  copy = await copyRepository()
})
afterAll(() => rm(copy, { recursive: true }))

/** By workspace: what stands for everything that its tests depend on, without running any. */
async function hashes(): Promise<ReadonlyMap<string, string>> {
  const args = ['run', 'test', '--dry=json', '--cwd', copy]
  const { stdout } = await run(join(root, 'node_modules/.bin/turbo'), args, { maxBuffer: 2 ** 26 })
  const { tasks } = JSON.parse(stdout) as { tasks: readonly { task: string; package: string; hash: string }[] }
  return new Map(tasks.flatMap(({ task, package: name, hash }) => (task === 'test' ? [[name, hash]] : [])))
}

/** Workspaces whose tests would run again for a change of one file. */
async function touched(file: string): Promise<string[]> {
  const path = join(copy, file)
  const before = await hashes()
  const text = await readFile(path, 'utf8').catch(() => null)
  await mkdir(dirname(path), { recursive: true })
  await appendFile(path, '\n')
  const after = await hashes()
  await (text === null ? rm(path) : writeFile(path, text))
  expect(await hashes()).toEqual(before)
  return [...before.keys()].filter((name) => before.get(name) !== after.get(name)).toSorted()
}

describe('what is tested again', () => {
  it.each([
    'README.md',
    'package.json',
    'knip.json',
    '.oxlintrc.json',
    '.ci/run',
    'apps/orders/src/resolvers.ts',
    'apps/orders/src/new-file.ts',
    'apps/orders/migrations/001-orders.sql',
    'apps/balance/tools/transfer.graphql',
    'apps/identity/behalf.json',
    'apps/dev/src/supervisor/supervise.ts',
    'packages/gateway/src/create-gateway.ts',
    'packages/generators/src/subgraph/files/src/resolvers.ts.template',
    'packages/composition/behalf.schema.json',
    'docs/get-started/your-first-subgraph.md',
    'docs/spec/context-token.md',
    'bench/gateway/run.ts',
    'examples/new/file.ts',
    '.vscode/settings.json',
    'test/support/system.ts',
    'test/e2e/wire.test.ts',
  ])('end to end, when %s changes', async (file) => {
    expect(await touched(file)).toContain('@behalf/test')
  })

  it.each([
    ['apps/orders/src/resolvers.ts', ['@app/orders', '@behalf/test']],
    ['docs/decisions/README.md', ['@behalf/test']],
    // Tests beside the code that execute what pages show.
    ['docs/concepts/limits.md', ['@behalf/gateway', '@behalf/postgres', '@behalf/test']],
    [
      'docs/guides/testing.md',
      ['@behalf/authority', '@behalf/gateway', '@behalf/mcp', '@behalf/test', '@behalf/testing'],
    ],
    ['docs/spec/context-token.md', ['@behalf/identity', '@behalf/test']],
  ])('nothing else than has to do with %s', async (file, expected) => {
    expect(await touched(file)).toEqual(expected)
  })

  it.each([
    'graph.json',
    '.behalf/logs/gateway.log',
    'apps/orders/src/generated/schema.ts',
    'apps/orders/.reports/vitest.json',
    'packages/gateway/dist/index.js',
    'packages/process/node_modules/a/index.js',
    'node_modules/a/index.js',
  ])('nothing, when %s does, which is made', async (file) => {
    expect(await touched(file)).toEqual([])
  })

  it('every subgraph, when the library of subgraphs changes', async () => {
    const apps = ['@app/balance', '@app/identity', '@app/orchestrator', '@app/orders']
    expect(await touched('packages/subgraph/src/connection.ts')).toEqual(expect.arrayContaining(apps))
  })

  it('whatever has it, when a package is another', async () => {
    const names = [...(await hashes()).keys()]
    const lock = join(copy, 'package-lock.json')
    const before = await hashes()
    const text = await readFile(lock, 'utf8')
    await writeFile(lock, text.replace(/("node_modules\/graphql": \{\s+"version": ")16/, '$19916'))
    const after = await hashes()
    await writeFile(lock, text)
    expect(names.filter((name) => before.get(name) === after.get(name))).toEqual(['@behalf/process'])
  })
})
