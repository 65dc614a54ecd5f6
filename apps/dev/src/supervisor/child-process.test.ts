import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startProcess } from './child-process.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-child-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const idle = 'setInterval(() => {}, 60_000)'
async function start(name: string, source: string, env: Record<string, string> = {}, stopWithin = 5000) {
  const script = join(folder, `${name}.mjs`)
  await writeFile(script, source)
  const shown: string[] = []
  const logFile = join(folder, `${name}.log`)
  const child = startProcess({ name, script, env }, { logFile, show: (line) => shown.push(line), stopWithin })
  return { child, shown, log: () => readFile(logFile, 'utf8') }
}

test('a process gets the environment that it was given, and no other', async () => {
  process.env['BEHALF_TEST_SECRET'] = 'secret'
  const { child, log } = await start('env', 'console.log(Object.keys(process.env).sort().join())', { ONE: '1' })
  expect((await child.ended).succeeded).toBe(true)
  await vi.waitFor(async () => expect((await log()).trim()).toBe('NODE_COMPILE_CACHE,ONE'))
  delete process.env['BEHALF_TEST_SECRET']
})

test("a process gets options of Node's own", async () => {
  const script = join(folder, 'options.mjs')
  await writeFile(script, 'console.log(process.execArgv.join())')
  const logFile = join(folder, 'options.log')
  const plan = { name: 'options', script, nodeArgs: ['--max-semi-space-size=32'], env: {} }
  const child = startProcess(plan, { logFile, show: () => undefined })
  await child.ended
  await vi.waitFor(async () => expect(await readFile(logFile, 'utf8')).toContain('--max-semi-space-size=32'))
})

test('warnings are shown, the rest is only written down', async () => {
  const { child, shown, log } = await start(
    'logs',
    `
    console.log(JSON.stringify({ level: 30, msg: 'usual' }))
    console.log(JSON.stringify({ level: 'warn', msg: 'strange' }))
    console.error(JSON.stringify({ level: 50, msg: 'bad', err: { message: 'because' } }))
    console.error('plain')`,
  )
  await child.ended
  expect(shown).toHaveLength(2)
  expect(shown.join('\n')).toMatch(/logs: .*warning.* strange\nlogs: .*error.* bad: because/)
  await vi.waitFor(async () => expect((await log()).trim().split('\n')).toHaveLength(4))
})

test('a process that ends by itself says how, with its last lines', async () => {
  const { child } = await start('dies', `console.error('the reason'); process.exitCode = 7`)
  expect(await child.ended).toMatchObject({
    stopped: false,
    succeeded: false,
    story: expect.stringMatching(/^dies ended \(exit code 7\)[^]*the reason/),
  })
})

test('a process is stopped gently, and killed when that does not help', async () => {
  const gentle = await start(
    'gentle',
    `process.once('SIGTERM', () => { console.log('bye'); process.exit(0) }); console.log('up'); ${idle}`,
  )
  await vi.waitFor(async () => expect(await gentle.log()).toContain('up'))
  await gentle.child[Symbol.asyncDispose]()
  await vi.waitFor(async () => expect(await gentle.log()).toContain('bye'))
  expect(gentle.shown).toEqual([])

  const deaf = await start('deaf', `process.on('SIGTERM', () => {}); console.log('up'); ${idle}`, {}, 100)
  await vi.waitFor(async () => expect(await deaf.log()).toContain('up'))
  await deaf.child[Symbol.asyncDispose]()
  expect(deaf.shown.join()).toMatch(/did not stop within 0.1 s and was killed/)
})

test('no process outlives its supervisor, even one that is killed', async () => {
  const script = join(folder, 'orphan.mjs')
  await writeFile(script, idle)
  const supervisor = join(folder, 'supervisor.mjs')
  const preload = fileURLToPath(new URL('exit-with-parent.ts', import.meta.url))
  await writeFile(
    supervisor,
    `
    import { spawn } from 'node:child_process'
    const child = spawn(process.execPath, ['--import', ${JSON.stringify(preload)}, ${JSON.stringify(script)}], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], detached: true })
    console.log(child.pid)
    ${idle}`,
  )
  const parent = spawn(process.execPath, [supervisor], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(printed.toString())
  expect(() => process.kill(pid, 0)).not.toThrow()
  parent.kill('SIGKILL')
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), { timeout: 5000 })
})
