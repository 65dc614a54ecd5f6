import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual, promisify } from 'node:util'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { cloneRepository } from './support/clone.ts'
import { compared, runSteps, stepsOf, type Step } from './support/documents.ts'
import { root, startSystem, type System } from './support/system.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const run = promisify(execFile)
const markdown = await readFile(join(root, 'docs/get-started/your-first-subgraph.md'), 'utf8')
const steps = stepsOf(markdown)
const diffs = Array.from(markdown.matchAll(/^```diff\n(.*?)^```$/gms), ([, text = '']) => text)
const before = (line: string) =>
  steps.slice(
    0,
    steps.findIndex(({ command }) => command === line),
  )
const after = (line: string) => steps.slice(steps.findIndex(({ command }) => command === line) + 1)

/** A clone of its own: the guide changes it. */
const clone = await cloneRepository()
const at = { cwd: clone, env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' } }
afterAll(() => rm(clone, { recursive: true, force: true }))

const apply = async (diff: string) => {
  await writeFile(join(clone, 'change.diff'), diff)
  await run('git', ['apply', 'change.diff'], at)
}
const typecheck = () => run('npx', ['tsc', '-p', 'apps/loyalty'], at)
const replace = async (file: string, text: string, by: string) => {
  const path = join(clone, 'apps/loyalty', file)
  const old = await readFile(path, 'utf8')
  expect(old).toContain(text)
  await writeFile(path, old.replaceAll(text, by))
}
/** Names of tests that failed. */
async function failedTests(): Promise<string[]> {
  await run('npm', ['test', '-w', '@app/loyalty'], at).catch(() => undefined)
  const report = JSON.parse(await readFile(join(clone, 'apps/loyalty/.reports/vitest.json'), 'utf8')) as {
    readonly numPassedTests: number
    readonly testResults: readonly { readonly assertionResults: readonly { title: string; status: string }[] }[]
  }
  expect(report.numPassedTests).toBeGreaterThan(40)
  return report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status !== 'passed').map(({ title }) => title),
  )
}
/** Where something else was printed than the guide says. */
const differences = (of: readonly Step[], printed: readonly string[]) =>
  of.flatMap(({ line, answer }, index) => {
    if (answer === null) return []
    const { actual, documented } = compared(printed[index] ?? '', answer)
    return isDeepStrictEqual(actual, documented) ? [] : [{ line, actual, documented }]
  })

describe.runIf(process.platform === 'linux')('[P16] docs/get-started/your-first-subgraph.md', () => {
  it('makes a subgraph whose tests are green, and one with a field and a tool', async () => {
    const [generate, test, types, tool] = before('npm start\n')
    await runSteps([generate, test] as Step[], at)
    await expect(typecheck()).resolves.toBeDefined()
    await apply(diffs[0] ?? '')
    // There is no such field yet.
    await expect(typecheck()).rejects.toMatchObject({ stdout: expect.stringContaining('resolvers.ts') as string })
    await runSteps([types, tool] as Step[], at)
    const [, shown] = /^```graphql\n(.*?)^```$/ms.exec(markdown) ?? []
    expect(await readFile(join(clone, 'apps/loyalty/tools/get_points.graphql'), 'utf8')).toBe(shown)
  })

  it('is checked like everything else: types, style, and who imports whom', async () => {
    for (const command of ['tsc -p apps/loyalty', 'oxlint --deny-warnings apps/loyalty', 'oxfmt --check apps/loyalty'])
      await expect(run('npx', command.split(' '), at)).resolves.toBeDefined()
    const architecture = run('npx', ['vitest', 'run', 'architecture.test.ts'], { ...at, cwd: join(clone, 'test') })
    await expect(architecture).resolves.toBeDefined()
  })

  it('answers through the gateway, in the chat and over MCP, and nobody else', async () => {
    await using system: System = await startSystem({ root: clone })
    const { urls } = system
    const steps = after('npm start\n').slice(0, -1)
    const here = steps.map((step) => ({
      ...step,
      command: step.command
        .replaceAll('http://127.0.0.1:4000', urls.gateway)
        .replaceAll('http://127.0.0.1:4001', urls.internal),
    }))
    const printed = await runSteps(here, { cwd: clone, env: { ...system.env, ...at.env } })
    expect(printed).toHaveLength(5)
    expect(differences(steps, printed)).toEqual([])
  })

  it('tells where a type has lost its owner, and composes again once it has one', async () => {
    const wrong = steps.slice(-1)
    await apply(diffs[1] ?? '')
    expect(differences(wrong, await runSteps(wrong, at))).toEqual([])
    await run('git', ['apply', '--reverse', 'change.diff'], at)
    await run('npm', ['run', 'compose'], at)
  })

  it('has a red test where row-level security was forgotten, and a green one where a condition was', async () => {
    await replace('migrations/001-notes.sql', "select behalf.own('notes', 'user_id');", '')
    expect(await failedTests()).toEqual(['[P7] withstands a way around row-level security'])
    const migration = join(clone, 'apps/loyalty/migrations/001-notes.sql')
    await writeFile(migration, `${await readFile(migration, 'utf8')}select behalf.own('notes', 'user_id');\n`)
    await replace('src/resolvers.ts', ".where('user_id', '=', user.id)", '')
    expect(await failedTests()).toEqual([])
  })
})
