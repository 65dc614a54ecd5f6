import { execFile } from 'node:child_process'
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { compared, runSteps, stepsOf, type Step } from './support/documents.ts'
import { root } from './support/system.ts'

const copy = mkdtempSync(join(tmpdir(), 'behalf-check-'))
for (const file of globSync('apps/*/{behalf.json,src/schema.graphql,tools/*.graphql}', { cwd: root })) {
  mkdirSync(dirname(join(copy, file)), { recursive: true })
  cpSync(join(root, file), join(copy, file))
}
afterAll(() => rmSync(copy, { recursive: true }))

it('docs/guides/check-a-change.md prints what it says it prints', async () => {
  const markdown = readFileSync(join(root, 'docs/guides/check-a-change.md'), 'utf8')
  const [, diff = ''] = /^```diff\n(.*?)^```$/ms.exec(markdown) ?? []
  const [release, check] = stepsOf(markdown) as [Step, Step]
  // The folder has no packages of its own, and no scripts.
  const at = { cwd: copy, env: { PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter) } }
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { behalf: string } }
  const behalf = scripts.behalf.replace('packages/', `${root}/packages/`)
  const steps = (step: Step) => [{ ...step, command: step.command.replaceAll('npm run --silent behalf --', behalf) }]
  await runSteps(steps(release), at)
  writeFileSync(join(copy, 'change.diff'), diff)
  await promisify(execFile)('git', ['apply', 'change.diff'], at)
  const [printed = ''] = await runSteps(steps(check), at)
  const { actual, documented } = compared(printed, check.answer!)
  expect(actual).toEqual(documented)
})
