import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endLeftovers, findDatabase, findLastRun, recordDatabase, recordRun, stopLeftoverPostgres } from './last-run.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-run-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const idle = ['-e', 'setInterval(() => {}, 60_000)']

test('a folder that nobody used, or somebody left in order, is free', async () => {
  expect(await findLastRun(folder)).toBe('ended')
  const run = await recordRun(folder)
  await run[Symbol.asyncDispose]()
  expect(await findLastRun(folder)).toBe('ended')
})

test('a supervisor that is gone without a word was killed', async () => {
  const child = spawn(process.execPath, idle)
  await once(child, 'spawn')
  child.kill('SIGKILL')
  await once(child, 'exit')
  await writeFile(join(folder, 'supervisor.pid'), `${child.pid}\n`)
  expect(await findLastRun(folder)).toBe('killed')
})

test.runIf(process.platform === 'linux')('its process id may belong to another program by now', async () => {
  const other = spawn(process.execPath, idle)
  const supervisor = spawn(process.execPath, [...idle, 'apps/dev/src/main.ts'])
  await Promise.all([once(other, 'spawn'), once(supervisor, 'spawn')])
  await writeFile(join(folder, 'supervisor.pid'), `${other.pid}\n`)
  expect(await findLastRun(folder)).toBe('killed')
  await writeFile(join(folder, 'supervisor.pid'), `${supervisor.pid}\n`)
  expect(await findLastRun(folder)).toEqual({ runningAs: supervisor.pid })
  other.kill()
  supervisor.kill()
})

test('the database of a running system is known to its owner only, and only while it runs', async () => {
  const url = 'postgres://postgres:secret@127.0.0.1:1/postgres'
  const path = join(folder, 'database-url')
  await writeFile(path, 'of a supervisor that was killed', { mode: 0o644 })
  const record = await recordDatabase(folder, url)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readFile(path, 'utf8')).toBe(`${url}\n`)

  const supervisor = spawn(process.execPath, [...idle, 'apps/dev/src/main.ts'])
  await once(supervisor, 'spawn')
  await writeFile(join(folder, 'supervisor.pid'), `${supervisor.pid}\n`)
  expect(await findDatabase(folder)).toBe(url)
  supervisor.kill('SIGKILL')
  await once(supervisor, 'exit')
  expect(await findDatabase(folder)).toBeNull()
  await record[Symbol.asyncDispose]()
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
})

test.runIf(process.platform === 'linux')('a process that is not PostgreSQL is left alone', async () => {
  const other = spawn(process.execPath, idle)
  await once(other, 'spawn')
  const postgresDir = join(folder, 'postgres')
  await mkdir(postgresDir)
  await writeFile(join(postgresDir, 'postmaster.pid'), `${other.pid}\n${postgresDir}\n`)
  await stopLeftoverPostgres(postgresDir)
  expect(other.exitCode ?? other.signalCode).toBeNull()
  other.kill()
})

test.runIf(process.platform === 'linux')(
  'what a killed supervisor left is waited for, then killed; what now has its process id is left alone',
  async () => {
    const marked = (source: string) => spawn(process.execPath, ['-e', source, 'exit-with-parent'], { stdio: 'pipe' })
    const quick = marked(
      `process.once('SIGUSR2', () => process.exit(7)); setInterval(() => {}, 60_000); console.log(1)`,
    )
    const deaf = marked(`process.on('SIGTERM', () => {}); setInterval(() => {}, 60_000)`)
    const other = spawn(process.execPath, idle)
    const ends = Promise.all([once(quick, 'exit'), once(deaf, 'exit')])
    await Promise.all([once(quick.stdout, 'data'), once(deaf, 'spawn'), once(other, 'spawn')])
    await using record = await recordRun(folder)
    for (const { pid } of [quick, deaf, other]) record.add(pid!)
    expect(await findLastRun(folder)).toBe('killed')

    const ending = endLeftovers(folder, 300)
    quick.kill('SIGUSR2')
    await ending
    expect(await ends).toEqual([
      [7, null],
      [null, 'SIGKILL'],
    ])
    expect(other.exitCode ?? other.signalCode).toBeNull()
    other.kill()
  },
)
