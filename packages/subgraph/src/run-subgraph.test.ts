import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contextKeys } from './fixtures.ts'

const index = JSON.stringify(new URL('./index.ts', import.meta.url).href)
const main = `
import { createSubgraph, runSubgraph } from ${index}
await runSubgraph({
  name: 'notes',
  readConfig: (env = process.env) => {
    if (env.FAULTS) throw Object.assign(new Error('faults'), { issues: [{ path: ['NOTES_PORT'], message: 'is missing' }, { path: ['LOG_LEVEL'], message: 'is unknown' }] })
    return { port: Number(env.NOTES_PORT), host: '127.0.0.1', contextKeys: env.BEHALF_CONTEXT_KEYS }
  },
  create: ({ contextKeys }) => createSubgraph({ name: 'notes', typeDefs: 'type Query { a: String }', resolvers: {}, contextKeys }),
})
`
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-'))
  await writeFile(join(folder, 'main.mjs'), main)
})
afterAll(() => rm(folder, { recursive: true }))

/** A process, what it wrote so far, and how it ended. */
function start(env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, ['--conditions=@behalf/source', join(folder, 'main.mjs')], {
    env: { NOTES_PORT: '0', BEHALF_CONTEXT_KEYS: contextKeys, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  const listening = Promise.withResolvers<void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes('Server listening')) listening.resolve()
    })
  }
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }))
  return { child, listening: Promise.race([listening.promise, ended]), ended }
}

describe('the process of a subgraph', () => {
  it('names every fault of its configuration, without a stack, and ends with 2', async () => {
    const { ended } = start({ FAULTS: 'yes' })
    expect(await ended).toEqual({
      code: 2,
      output: 'notes cannot start with this configuration:\n  NOTES_PORT: is missing\n  LOG_LEVEL: is unknown\n',
    })
  })

  it('says why it cannot start, without a stack, and ends with 1', async () => {
    const { code, output } = await start({ BEHALF_CONTEXT_KEYS: 'nonsense' }).ended
    expect(code).toBe(1)
    expect(output).toMatch(/^notes cannot start: .+\n$/)
    expect(output).not.toContain('nonsense')
  })

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 on %s', async (signal) => {
    const { child, listening, ended } = start({})
    await listening
    child.kill(signal)
    expect(await ended).toMatchObject({ code: 0 })
  })

  it('ends with 0 when whoever started it has gone', async () => {
    const { child, listening } = start({})
    await listening
    const exited = once(child, 'exit')
    child.disconnect()
    expect(await exited).toEqual([0, null])
  })
})
