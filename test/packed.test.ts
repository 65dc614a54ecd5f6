import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { checkPackage, createPackageFromTarballData, type Problem } from '@arethetypeswrong/core'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { compared, runSteps, stepsOf } from './support/documents.ts'
import { freePorts } from './support/free-ports.ts'
import { homesOfElastic, importsOf, isElastic } from './support/imports.ts'
import { root } from './support/system.ts'
import { cleanEnvironment, cleanFolder, installExample, packAll, type Tarball } from './support/packed.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 600_000 })

const run = promisify(execFile)
const packages = ['authority', 'cli', 'composition', 'gateway', 'generators', 'identity', 'mcp', 'orchestration']
packages.push('postgres', 'process', 'subgraph', 'testing', 'tools')

let folder: Awaited<ReturnType<typeof cleanFolder>>
let tarballs: readonly Tarball[]
beforeAll(async () => {
  folder = await cleanFolder()
  tarballs = await packAll(folder.path)
})
afterAll(() => folder[Symbol.asyncDispose]())

const tarballOf = (name: string) => {
  const found = tarballs.find(({ manifest }) => manifest.name === `@behalf/${name}`)
  if (!found) throw new Error(`There is no tarball of ${name}.`)
  return found
}

it('every package is packed', () => {
  expect(tarballs.map(({ manifest }) => manifest.name)).toEqual(packages.map((name) => `@behalf/${name}`))
})

describe.each(packages)('@behalf/%s as packed', (name) => {
  it('is what publint and attw take for a package of ES modules', async () => {
    const bytes = await readFile(tarballOf(name).path)
    const { messages } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer } })
    expect(messages).toEqual([])
    const result = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)))
    expect(result.types && result.problems.filter(isOfModules)).toEqual([])
  })

  it('has its licence, and nothing of another one but where that is meant', async () => {
    const { manifest } = tarballOf(name)
    const licence = await readFile(join(root, 'packages', name, 'LICENSE'), 'utf8')
    expect(licence).toBe(await readFile(join(root, 'LICENSE'), 'utf8'))
    const elastic = Object.keys(manifest.dependencies ?? {}).filter(isElastic)
    expect(elastic.length > 0).toBe(homesOfElastic.has(manifest.name))
  })

  it('has no tests, and depends on all that its code and its types import', async () => {
    const { path, manifest } = tarballOf(name)
    const { stdout } = await run('tar', ['tzf', path])
    const files = stdout.split('\n')
    expect(files).toEqual(expect.arrayContaining(['package/LICENSE', 'package/package.json']))
    expect(files.filter((file) => /\.test\.|fixture/.test(file) && !file.endsWith('.template'))).toEqual([])
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies }
    const missing = globSync(`../packages/${name}/dist/**/*{.js,.d.ts}`, { cwd: import.meta.dirname }).map(
      async (file) =>
        importsOf(await readFile(join(import.meta.dirname, file), 'utf8'))
          .filter((specifier) => !/^(\.|node:)/.test(specifier))
          .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? '')
          .filter((imported) => !(imported in declared))
          .map((imported) => `${file}: ${imported}`),
    )
    expect((await Promise.all(missing)).flat()).toEqual([])
  })
})

/** CommonJS cannot load these packages but by `require(esm)`, and TypeScript's oldest way of looking not at all. */
const isOfModules = (problem: Problem) =>
  !('resolutionKind' in problem && ['node10', 'node16-cjs'].includes(problem.resolutionKind))

describe.runIf(process.platform === 'linux')('[P16] examples/clinic, from tarballs', () => {
  let clinic: string
  let env: Record<string, string>
  let base: string
  let started: ChildProcess
  let output = ''
  const inClinic = (command: string, ...args: string[]) => run(command, args, { cwd: clinic, env, maxBuffer: 2 ** 26 })
  beforeAll(async () => {
    clinic = join(folder.path, 'clinic')
    await installExample('clinic', clinic, tarballs)
    const port = await freeRange(6)
    base = `http://127.0.0.1:${port}`
    env = cleanEnvironment({ PORT: String(port), PATH: `${join(clinic, 'node_modules/.bin')}:${process.env['PATH']}` })
  })
  afterAll(async () => {
    // As a terminal's Ctrl-C: npm, its shell and what that started.
    if (started?.exitCode !== null || started.pid === undefined) return
    process.kill(-started.pid, 'SIGINT')
    await once(started, 'exit')
  })

  it('has one copy of graphql and of kysely', async () => {
    const copies = globSync('node_modules/**/{graphql,kysely}/package.json', { cwd: clinic })
    expect(copies.toSorted()).toEqual(['node_modules/graphql/package.json', 'node_modules/kysely/package.json'])
  })

  it('has the types', async () => {
    await expect(inClinic('npm', 'run', 'typecheck')).resolves.toBeDefined()
  })

  it('composes', async () => {
    const { stdout } = await inClinic('behalf', 'compose')
    expect(stdout).toMatch(
      /subgraphs 2: lab, practice[^]*tools +3\n[^]*book_appointment +appointments:write, approval\n/,
    )
  })

  it('withstands the attacks of its own tests', async () => {
    const report = join(clinic, '.data/report.json')
    await inClinic('vitest', 'run', '--reporter=json', `--outputFile=${report}`).catch(() => undefined)
    const { numPassedTests, numFailedTests } = JSON.parse(await readFile(report, 'utf8')) as Record<string, number>
    expect({ numFailedTests, many: Number(numPassedTests) > 70 }).toEqual({ numFailedTests: 0, many: true })
  })

  describe('started', () => {
    beforeAll(async () => {
      started = spawn('npm', ['start'], { cwd: clinic, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
      await new Promise<void>((resolve, reject) => {
        for (const stream of [started.stdout, started.stderr])
          stream?.setEncoding('utf8').on('data', (text: string) => {
            output += text
            if (output.includes('The clinic is open')) resolve()
          })
        started.once('exit', () => reject(new Error(`It did not start:\n${output}`)))
      })
    })

    const tokens = new Map<string, Promise<string>>()
    const token = (name: string, use: 'app' | 'agent' = 'app') => {
      const key = `${name} ${use}`
      const known = tokens.get(key) ?? inClinic('node', 'dev/token.ts', name, use).then(({ stdout }) => stdout.trim())
      tokens.set(key, known)
      return known
    }
    const ask = async (name: string, query: string, variables = {}) => {
      const response = await fetch(`${base}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${await token(name)}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      })
      return (await response.json()) as { data: Record<string, any>; errors?: unknown } // oxlint-disable-line typescript/no-explicit-any
    }
    const agentOf = async (name: string) => {
      const client = new Client({ name: 'test', version: '1' })
      const requestInit = { headers: { authorization: `Bearer ${await token(name, 'agent')}` } }
      await client.connect(new StreamableHTTPClientTransport(new URL(`${base}/mcp`), { requestInit }))
      return client
    }

    const record = '{ me { id practice results { test value } } }'

    it('answers two patients of two practices, from two subgraphs, each with what is theirs', async () => {
      const of = async (name: string) => (await ask(name, record)).data['me']
      expect(await of('ines')).toEqual({
        id: 'usr_ines',
        practice: 'northside',
        results: [{ test: 'HbA1c', value: '5.90' }],
      })
      expect(await of('tom')).toEqual({
        id: 'usr_tom',
        practice: 'harbour',
        results: [{ test: 'HbA1c', value: '5.80' }],
      })
    })

    it('prints what its README says', async () => {
      const readme = await readFile(join(clinic, 'README.md'), 'utf8')
      const [install, ...steps] = stepsOf(readme.replaceAll('http://127.0.0.1:4000', base))
      expect(install?.command).toBe('npm install\nnpm test\nnpm start\n')
      const printed = await runSteps(steps, { cwd: clinic, env })
      const answers = steps.map(({ answer }, index) => answer && compared(printed[index] ?? '', answer))
      expect(answers.map((each) => each?.actual)).toEqual(answers.map((each) => each?.documented))
      expect(answers).toHaveLength(1)
    })

    it('shows a doctor the records of their own practice, and nobody else', async () => {
      const look = 'query ($id: ID!) { patient(id: $id) { name results { value } } }'
      const of = async (name: string, id: string) => (await ask(name, look, { id })).data['patient']
      expect(await of('vera', 'usr_ines')).toEqual({ name: 'ines', results: [{ value: '5.90' }] })
      expect(await of('vera', 'usr_tom')).toBeNull()
      expect(await of('omar', 'usr_ines')).toBeNull()
    })

    it('gives agents the tools, by MCP, and books when the patient has said so', async () => {
      const agent = await agentOf('ines')
      const { tools } = await agent.listTools()
      expect(tools.map(({ name }) => name).toSorted()).toEqual(['book_appointment', 'get_results', 'list_appointments'])
      const results = await agent.callTool({ name: 'get_results', arguments: {} })
      expect(results.structuredContent).toMatchObject({ me: { results: [{ test: 'HbA1c', value: '5.90' }] } })

      const call = { name: 'book_appointment', arguments: { at: '2026-03-01T09:30:00.000Z', reason: 'a cough' } }
      expect(await agent.callTool(call)).toMatchObject({ isError: true })
      const asked = await ask('ines', '{ me { approvals(state: PENDING) { id summary argumentsHash } } }')
      const [{ summary, ...approval }] = asked.data['me'].approvals
      expect(summary).toBe('Book an appointment at "2026-03-01T09:30:00.000Z". Reason: "a cough"')
      const approve = `mutation ($id: ID!, $argumentsHash: String!) {
        resolveApproval(id: $id, argumentsHash: $argumentsHash, decision: APPROVE) { state } }`
      expect((await ask('tom', approve, approval)).data['resolveApproval']).toBeNull()
      expect((await ask('ines', approve, approval)).data['resolveApproval']).toEqual({ state: 'APPROVED' })
      expect((await agent.callTool(call)).isError).toBeFalsy()
      expect((await ask('ines', '{ me { appointments { reason } } }')).data['me'].appointments).toEqual([
        { reason: 'a cough' },
      ])
      await agent.close()
    })

    it('does for the agent of another practice what is theirs', async () => {
      const agent = await agentOf('tom')
      const results = await agent.callTool({ name: 'get_results', arguments: {} })
      expect(results.structuredContent).toMatchObject({ me: { results: [{ value: '5.80' }] } })
      const list = await agent.callTool({ name: 'list_appointments', arguments: {} })
      expect(list.structuredContent).toEqual({ me: { appointments: [] } })
      await agent.close()
    })
  })
})

/** So many free ports in a row: a guess, which is checked. */
async function freeRange(count: number): Promise<number> {
  const [port = 0] = await freePorts(1)
  return port + count < 65_536 ? port : freeRange(count)
}
