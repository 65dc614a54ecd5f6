import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const index = JSON.stringify(new URL('./index.ts', import.meta.url).href)
const main = `
import { createServer } from 'node:http'
import { once } from 'node:events'
import { ConfigurationError, createLog, runProcess } from ${index}

const { FAULTS, REASON, START, CLOSE, WAIT, WORDS } = process.env
// Whoever started it is gone before this process looks.
if (WAIT) {
  process.channel.ref()
  while (process.connected) await new Promise((resolve) => setImmediate(resolve))
  process.channel?.unref()
}
const reasons = {
  chain: () => new Error('The database does not answer.', { cause: new AggregateError([new Error('connect ECONNREFUSED'), new Error('second')]) }),
  nothing: () => Object.assign(new AggregateError([new Error('')]), { code: 'ECONNREFUSED' }),
  text: () => 'no',
  circle: () => { const error = new Error('round'); error.cause = error; return error },
  syntax: () => import('./broken.ts'),
}
await runProcess({
  name: 'notes',
  readConfig: () => {
    if (FAULTS === 'own') throw new Error('NOTES_PORT is missing')
    if (FAULTS) throw new ConfigurationError(['NOTES_PORT: not set', 'LOG_LEVEL: not one of info'])
    return { host: '127.0.0.1' }
  },
  start: async ({ host }) => {
    if (REASON) throw await reasons[REASON]()
    if (START === 'never') {
      process.stdout.write('starting')
      await new Promise(() => setInterval(() => {}, 60_000))
    }
    const server = createServer().listen(0, host)
    await once(server, 'listening')
    process.stdout.write('listening')
    if (WORDS) {
      const log = createLog('notes', 'info')
      for (let line = 0; line < Number(WORDS); line++) log.info({ text: 'x'.repeat(4000) }, 'words')
      process.send?.('said')
    }
    return {
      close: async () => {
        process.stdout.write(' closing')
        if (CLOSE === 'fails') throw new Error('stuck')
        if (CLOSE === 'never') await new Promise(() => {})
        server.close()
      },
    }
  },
})
`
let folder: string
const started: ChildProcess[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-process-'))
  await writeFile(join(folder, 'main.mjs'), main)
  await writeFile(join(folder, 'broken.ts'), 'const a = ;')
})
afterAll(() => {
  // One that a failed test left.
  for (const child of started) child.kill('SIGKILL')
  return rm(folder, { recursive: true })
})

/** A process, what it wrote so far, and how it ended. */
function start(env: Record<string, string>, channel = false) {
  const child: ChildProcess = spawn(process.execPath, ['--conditions=@behalf/source', join(folder, 'main.mjs')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', ...(channel ? (['ipc'] as const) : [])],
  })
  started.push(child)
  let output = ''
  const listening = Promise.withResolvers<void>()
  const starting = Promise.withResolvers<void>()
  const streams = [child.stdout, child.stderr].map((stream) => {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes('listening')) listening.resolve()
      if (output.includes('starting')) starting.resolve()
    })
    return stream && once(stream, 'end')
  })
  // Not `close`: it does not come where this side closed the channel.
  const ended = Promise.all([once(child, 'exit'), ...streams]).then(([[code]]) => ({
    code: code as number | null,
    output,
  }))
  return { child, listening: Promise.race([listening.promise, ended]), starting: starting.promise, ended }
}

const late = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms, 'late').unref())

describe('a process that cannot start says why, without a stack', () => {
  it('names every fault of its configuration, and ends with 2', async () => {
    expect(await start({ FAULTS: 'yes' }).ended).toEqual({
      code: 2,
      output: 'notes cannot start with this configuration:\n  NOTES_PORT: not set\n  LOG_LEVEL: not one of info\n',
    })
    expect(await start({ FAULTS: 'own' }).ended).toEqual({
      code: 2,
      output: 'notes cannot start with this configuration:\n  NOTES_PORT is missing\n',
    })
  })

  it.each([
    ['chain', '  The database does not answer.\n  connect ECONNREFUSED\n'],
    ['nothing', '  ECONNREFUSED\n'],
    ['text', '  no\n'],
    ['circle', '  round\n'],
  ])('names the causes, and ends with 1: %s', async (REASON, lines) => {
    expect(await start({ REASON }).ended).toEqual({ code: 1, output: `notes cannot start:\n${lines}` })
  })

  it('says which module cannot be parsed', async () => {
    const { code, output } = await start({ REASON: 'syntax' }).ended
    expect(code).toBe(1)
    expect(output).toMatch(/^notes cannot start:\n {2}Expression expected \(.+broken\.ts:1\)\n$/)
  })
})

describe('a process that is told to end', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('closes in order and ends with 0 on %s', async (signal) => {
    const { child, listening, ended } = start({})
    await listening
    child.kill(signal)
    expect(await ended).toEqual({ code: 0, output: 'listening closing' })
  })

  it('ends when whoever started it has gone', async () => {
    const { child, listening, ended } = start({}, true)
    await listening
    child.disconnect()
    expect(await ended).toEqual({ code: 0, output: 'listening closing' })
  })

  it('ends when whoever started it had gone before it could notice', async () => {
    const { child, ended } = start({ WAIT: 'yes' }, true)
    child.disconnect()
    expect(await ended).toEqual({ code: 0, output: '' })
  })

  it.each(['SIGTERM', 'disconnect'])('ends at once where it waits for something to start with: %s', async (how) => {
    const { child, starting, ended } = start({ START: 'never' }, true)
    await starting
    if (how === 'SIGTERM') child.kill(how)
    else child.disconnect()
    expect(await Promise.race([ended, late(5000)])).toEqual({ code: 0, output: 'starting' })
  })

  // A pipe holds less than a megabyte. Who writes into a full one and waits is there until it is killed.
  it('does so where nobody reads what it logs', { timeout: 40_000 }, async () => {
    const child = spawn(process.execPath, ['--conditions=@behalf/source', join(folder, 'main.mjs')], {
      env: { WORDS: '400' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    started.push(child)
    expect(await Promise.race([once(child, 'message'), late(20_000)])).toEqual(['said', undefined])
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await Promise.race([exited, late(9000)])).toEqual([0, null])
  })

  it('is read to the end by whoever does read', { timeout: 40_000 }, async () => {
    const { child, ended } = start({ WORDS: '100' }, true)
    await once(child, 'message')
    child.kill('SIGTERM')
    const { code, output } = await ended
    expect([code, output.match(/"msg":"words"/g)?.length]).toEqual([0, 100])
  })

  it('says what kept it from ending in order, and ends with 1', async () => {
    const { child, listening, ended } = start({ CLOSE: 'fails' })
    await listening
    child.kill('SIGTERM')
    expect(await ended).toEqual({ code: 1, output: 'listening closingnotes did not end in order:\n  stuck\n' })
  })

  it('ends with 1 after ten seconds, whatever is under way', { timeout: 20_000 }, async () => {
    const { child, listening, ended } = start({ CLOSE: 'never' })
    await listening
    child.kill('SIGTERM')
    expect(await ended).toEqual({ code: 1, output: 'listening closingnotes did not end within 10 seconds\n' })
  })
})
