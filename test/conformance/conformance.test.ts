import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../support/system.ts'
import { startFixtureServer } from './fixture-server.ts'

const suite = join(root, 'node_modules/@modelcontextprotocol/conformance')
let server: Awaited<ReturnType<typeof startFixtureServer>>
beforeAll(async () => {
  server = await startFixtureServer()
})
afterAll(() => server[Symbol.asyncDispose]())

/** The scenarios of a revision that count, of those about servers. */
async function scenariosOf(revision: string): Promise<string[]> {
  const text = await readFile(join(suite, `requirements/${revision}.yaml`), 'utf8')
  const [, list = ''] = /^server:\n((?: +(?:- .*|#.*)\n|\n)*)/m.exec(text) ?? []
  return Array.from(list.matchAll(/^ +- (\S+)/gm), ([, name = '']) => name)
}

/** Runs them all; says which passed. A scenario has passed where none of its checks failed. */
async function run(revision: string): Promise<{ exitCode: number | null; passed: string[] }> {
  const results = await mkdtemp(join(tmpdir(), 'behalf-conformance-'))
  const expected = join(import.meta.dirname, 'expected-failures.yaml')
  const args = [
    'server',
    '--url',
    server.url,
    '--requirements',
    revision,
    '--expected-failures',
    expected,
    '-o',
    results,
  ]
  const child = spawn(process.execPath, [join(suite, 'dist/index.js'), ...args], { stdio: 'ignore' })
  const [exitCode] = (await once(child, 'close')) as [number | null]
  const passed = []
  for (const folder of await readdir(results)) {
    const name = /^server-(.+)-\d{4}-\d{2}-\d{2}T/.exec(folder)?.[1]
    const checks = JSON.parse(await readFile(join(results, folder, 'checks.json'), 'utf8')) as { status: string }[]
    const isGreen = checks.length > 0 && checks.every(({ status }) => !/FAILURE|WARNING/.test(status))
    if (name !== undefined && isGreen) passed.push(name)
  }
  await rm(results, { recursive: true })
  return { exitCode, passed }
}

const needsSession = [
  'tools-call-sampling',
  'tools-call-elicitation',
  'elicitation-sep1034-defaults',
  'elicitation-sep1330-enums',
]

describe('[P10] the official MCP conformance suite', { timeout: 300_000 }, () => {
  it.each([
    ['2025-11-25', 30, needsSession],
    ['2026-07-28', 37, []],
  ] as const)('of %s passes: all %d scenarios of a server but those with a reason', async (revision, count, red) => {
    const scenarios = await scenariosOf(revision)
    expect(scenarios).toHaveLength(count)
    const { passed, exitCode } = await run(revision)
    expect(scenarios.filter((name) => !passed.includes(name))).toEqual(red)
    expect(exitCode).toBe(0)
  })
})
