import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { App } from '@behalf/composition'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AppFile } from './app-files.ts'
import { watchApps } from './watch-apps.ts'

let root: string
let told: AppFile[]
let appeared: string[]
let watching: Disposable
const write = async (file: string, text: string) => {
  await mkdir(dirname(join(root, file)), { recursive: true })
  await writeFile(join(root, file), text)
}
const changes = () => told.map(({ part, path }) => `${part} ${path}`)
const patient = { timeout: 20_000 }

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'behalf-watch-'))
  told = []
  appeared = []
  const files = [
    'behalf.json',
    'src/a.graphql',
    'src/main.ts',
    'src/deep/other.ts',
    'tools/t.graphql',
    'migrations/1.sql',
  ]
  for (const file of files) await write(`apps/orders/${file}`, 'as it was')
  const directory = join(root, 'apps/orders')
  const app: App = {
    name: 'orders',
    directory,
    schema: join(directory, 'src/a.graphql'),
    port: 1,
    timeoutMs: 1,
    demoScopes: [],
  }
  watching = await watchApps({
    root,
    apps: [app],
    changed: (changes) => void told.push(...changes),
    appeared: (folder) => void appeared.push(folder),
  })
})
afterEach(async () => {
  watching[Symbol.dispose]()
  await rm(root, { recursive: true })
})

test('tells of every file by which an app is made, and what of it it is', async () => {
  await write('apps/orders/src/a.graphql', 'other')
  await expect.poll(changes, patient).toEqual(['schema apps/orders/src/a.graphql'])
  await write('apps/orders/src/deep/other.ts', 'other')
  await expect
    .poll(changes, patient)
    .toEqual(['schema apps/orders/src/a.graphql', 'code apps/orders/src/deep/other.ts'])
})

test.each([
  ['tools', 'apps/orders/tools/new.graphql'],
  ['migrations', 'apps/orders/migrations/2.sql'],
  ['code', 'apps/orders/src/new/folder/file.ts'],
  ['manifest', 'apps/orders/behalf.json'],
])('tells of %s, also where they are new', async (part, file) => {
  await write(file, 'new')
  await expect.poll(changes, patient).toEqual([`${part} ${file}`])
})

test('tells of what an editor puts in the place of a file, and of what is gone', async () => {
  await write('apps/orders/src/main.ts~', 'other')
  await rename(join(root, 'apps/orders/src/main.ts~'), join(root, 'apps/orders/src/main.ts'))
  await vi.waitFor(() => expect(told.map(({ path }) => path)).toContain('apps/orders/src/main.ts'), patient)
  told.length = 0
  await rm(join(root, 'apps/orders/src/deep'), { recursive: true })
  await expect.poll(changes, patient).toEqual(['code apps/orders/src/deep/other.ts'])
})

test('tells of nothing that runs nowhere, nor of what is as it was', async () => {
  const idle = [
    'src/main.test.ts',
    'src/a-fixture.ts',
    'src/fixtures/b.ts',
    'src/generated/schema.ts',
    'tools/README.md',
    '.reports/x.json',
  ]
  for (const file of idle) await write(`apps/orders/${file}`, 'new')
  await utimes(join(root, 'apps/orders/src/main.ts'), 1, 1)
  await write('apps/orders/src/main.ts', 'as it was')
  await write('apps/orders/tools/t.graphql', 'other')
  await expect.poll(changes, patient).toEqual(['tools apps/orders/tools/t.graphql'])
})

test('tells of an app that was not there, once', async () => {
  await write('apps/other/src/main.ts', 'new')
  await write('apps/other/behalf.json', 'new')
  await vi.waitFor(() => expect(appeared).toEqual(['apps/other']), patient)
  await write('apps/other/behalf.json', 'other')
  await write('apps/orders/tools/t.graphql', 'other')
  await expect.poll(changes, patient).toEqual(['tools apps/orders/tools/t.graphql'])
  expect(appeared).toEqual(['apps/other'])
})
