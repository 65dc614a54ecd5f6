import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authorityMigrations } from '@behalf/authority'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writePingGraph } from './ping-graph-fixture.ts'

const rootKey = randomBytes(32).toString('base64url')
let database: TestDatabase
let env: Record<string, string>
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-app-gateway-'))
  const graph = await writePingGraph(folder)
  database = await testDatabase()
  env = {
    GATEWAY_PORT: '0',
    GATEWAY_INTERNAL_PORT: '0',
    DATABASE_URL: await database.provision('gateway', authorityMigrations, 'authority'),
    BEHALF_ROOT_KEY: rootKey,
    OIDC_ISSUER: 'http://127.0.0.1:4200',
    GRAPHQL_RESOURCE: 'http://127.0.0.1:4000/graphql',
    GRAPH: graph,
  }
})
const started: ChildProcess[] = []
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

interface Run {
  readonly child: ChildProcess
  readonly output: { stdout: string; stderr: string }
  readonly exited: Promise<{ code: number | null; stdout: string; stderr: string }>
}

function run(change: Record<string, string> = {}, withChannel = false): Run {
  const child = spawn(process.execPath, ['--conditions=@behalf/source', join(import.meta.dirname, 'main.ts')], {
    env: { ...env, ...change },
    stdio: ['ignore', 'pipe', 'pipe', ...(withChannel ? (['ipc'] as const) : [])],
  })
  started.push(child)
  const output = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()))
  // Not `close`: it does not come where this side closed the channel.
  const ended = [child.stdout, child.stderr].map((stream) => stream && once(stream, 'end'))
  const exited = Promise.all([once(child, 'exit'), ...ended]).then(([[code]]) => ({
    code: code as number | null,
    ...output,
  }))
  return { child, output, exited }
}

async function listening({ output }: Run): Promise<string> {
  await expect.poll(() => output.stdout, { timeout: 60_000 }).toContain('"msg":"listening"')
  return /"url":"([^"]+)"/.exec(output.stdout)?.[1] ?? ''
}

describe('the process', () => {
  it('serves until it is told to end', async () => {
    const running = run()
    const url = await listening(running)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    expect(await (await fetch(`${url}/graphql?query={__typename}`)).json()).toMatchObject({
      data: { __typename: 'Query' },
    })
    running.child.kill('SIGTERM')
    const { code, stdout, stderr } = await running.exited
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).not.toContain(rootKey)
  })

  it('serves the graph of a URL', async () => {
    const graph = await readFile(env['GRAPH'] ?? '')
    const asked: (string | undefined)[] = []
    const server = createHttpServer(({ headers }, response) => {
      asked.push(headers.authorization)
      response.end(graph)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const GRAPH = `http://127.0.0.1:${portOf(server)}/graph.json`
    const running = run({ GRAPH, GRAPH_TOKEN: 'hunter2', GRAPH_POLL_SECONDS: '1' })
    const url = await listening(running)
    expect((await fetch(`${url}/graphql?query={__typename}`)).status).toBe(200)
    await expect.poll(() => asked.length, { timeout: 20_000 }).toBeGreaterThan(2)
    expect(new Set(asked)).toEqual(new Set(['Bearer hunter2']))
    running.child.kill('SIGTERM')
    expect((await running.exited).code).toBe(0)
    expect(running.output.stdout).not.toContain('hunter2')
    server.close()
  })

  it('ends with the process that started it', async () => {
    const running = run({}, true)
    await listening(running)
    running.child.disconnect()
    expect((await running.exited).code).toBe(0)
  })
})

describe('a start that fails says why, without a stack, and exits', () => {
  const cases: Record<string, () => Promise<[Record<string, string>, number, string[]]>> = {
    'a configuration with faults': async () => [
      { DATABASE_URL: 'hunter2', BEHALF_ROOT_KEY: 'hunter2', GRAPHQL_RESOURCE: '' },
      2,
      ['DATABASE_URL', 'BEHALF_ROOT_KEY', 'GRAPHQL_RESOURCE'],
    ],
    'a root key that is not base64url of bytes': async () => [
      { BEHALF_ROOT_KEY: `${'A'.repeat(42)}B` },
      2,
      ['BEHALF_ROOT_KEY'],
    ],
    'no graph': async () => [{ GRAPH: join(folder, 'none.json') }, 1, ['none.json', 'npm run compose', 'ENOENT']],
    'a graph that nobody serves': async () => [
      { GRAPH: `http://127.0.0.1:${await closedPort()}/graph.json?signature=hunter2`, GRAPH_TOKEN: 'hunter2' },
      1,
      ['graph.json', 'ECONNREFUSED'],
    ],
    'a graph of another version': async () => {
      await writeFile(join(folder, 'old.json'), '{"format":0}')
      return [{ GRAPH: join(folder, 'old.json') }, 1, ['old.json', 'npm run compose']]
    },
    'a policy that nobody gave': async () => {
      const graph = JSON.parse(await readFile(env['GRAPH'] ?? '', 'utf8')) as Record<string, unknown>
      const rule = {
        authenticated: false,
        scopes: [],
        policies: [['recent_sign_in'], ['by_moonlight']],
        agent: 'ALLOW',
      }
      const path = join(folder, 'policies.json')
      await writeFile(
        path,
        JSON.stringify({ ...graph, rules: { 'Query.ping': { ...rule, delegates: null, approves: null } } }),
      )
      return [{ GRAPH: path }, 1, ['the policy "by_moonlight", which nobody gave', 'createGateway']]
    },
    'a subgraph that is not in the graph': async () => [{ SUBGRAPHS: 'pong=http://127.0.0.1:1/graphql' }, 1, ['pong']],
    'an issuer over plain http': async () => [
      { OIDC_ISSUER: 'http://issuer.example' },
      1,
      ['http://issuer.example', 'https'],
    ],
    'no database': async () => [
      { DATABASE_URL: `postgres://gateway:hunter2@127.0.0.1:${await closedPort()}/behalf` },
      1,
      ['database', 'ECONNREFUSED'],
    ],
    'a password that is wrong': async () => {
      const url = new URL(env['DATABASE_URL'] ?? '')
      url.password = 'hunter2'
      return [{ DATABASE_URL: url.href }, 1, ['database', 'password authentication failed']]
    },
  }
  it.each(Object.entries(cases))('%s', async (_name, make) => {
    const [change, expected, words] = await make()
    const { code, stderr } = await run(change).exited
    expect(code).toBe(expected)
    for (const word of words) expect(stderr).toContain(word)
    expect(stderr).not.toMatch(/\n +at |hunter2|node:internal/)
    expect(stderr).toMatch(/^gateway cannot start/)
    expect(stderr.split('\n').length).toBeLessThan(6)
  })

  it.each(['GATEWAY_PORT', 'GATEWAY_INTERNAL_PORT'])('%s is taken', async (variable) => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { code, stderr } = await run({ [variable]: String(portOf(server)) }).exited
    server.close()
    expect(code).toBe(1)
    expect(stderr).toContain('EADDRINUSE')
    expect(stderr).not.toMatch(/\n +at /)
  })
})

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  return port
}

function portOf(server: ReturnType<typeof createServer>): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
