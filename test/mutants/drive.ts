// oxlint-disable vitest/valid-describe-callback, vitest/no-disabled-tests, vitest/expect-expect, vitest/require-top-level-describe -- made of other tests
// oxlint-disable no-empty-pattern -- as Vitest wants it where a hook asks for its suite alone
import { appendFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, inject, it, type RunnerTestSuite, vi } from 'vitest'
import type { Coverage, Outcome, Plan, Run } from './plan.ts'

type Task = RunnerTestSuite['tasks'][number]

/** What the instrumented code reads and writes (INSTRUMENTER_CONSTANTS of Stryker's API). */
interface Switch {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  hitCount?: number
  hitLimit?: number
  mutantCoverage?: { static: Record<string, number>; perTest: Record<string, Record<string, number>> }
}

const at: Switch = ((globalThis as unknown as Record<string, Switch>)['__stryker__'] ??= {})

/**
 * Runs the tests of a file once for each mutant of the plan, in this one process: what they import stays loaded.
 * Called in place of the file, see `run-mutants.ts`.
 *
 * @param load - evaluates the file anew, as another module for each text it is given.
 */
export function drive(load: (version: string) => Promise<unknown>): void {
  const plan = inject('plan')
  if (plan.kind === 'cover') return cover(plan.report, load)
  // Last, because it loads what they change anew.
  const runs = plan.runs.toSorted((a, b) => Number(a.isStatic) - Number(b.isStatic))
  for (const run of runs) describe(`mutant ${run.mutant}`, () => mutate(run, plan, load))
  // Loaded anew, too, if what is loaded is changed by the last of them.
  const isStatic = runs.some((run) => run.isStatic)
  describe('without a mutant', () => mutate({ mutant: '', isStatic, tests: null, hits: 0 }, plan, load))
}

function cover(report: string, load: (version: string) => Promise<unknown>): void {
  const read = () => (at.mutantCoverage ??= { static: {}, perTest: {} })
  let loading: Record<string, number> = {}
  describe.skip('loads what is tested', async () => {
    await load('none')
    loading = read().static
    read().static = {}
  })
  describe('covers', async () => {
    await load('cover')
    const again = { ...read().static }
    beforeEach(({ task }) => {
      at.currentTestId = nameOf(task)
    })
    afterEach(() => {
      at.currentTestId = undefined
    })
    afterAll(({}, suite) => {
      const end = endOf(suite)
      if (end.outcome !== 'survived') throw new Error(`It does not pass as it is: ${end.by}: ${end.why}`)
      const { static: outside, perTest } = read()
      const isStatic = Object.keys(loading).filter((id) => (loading[id] ?? 0) > (again[id] ?? 0))
      const coverage: Coverage = { isStatic, always: Object.keys(outside), tests: perTest }
      appendFileSync(report, `${JSON.stringify(coverage)}\n`)
    })
  })
}

async function mutate(
  { mutant, isStatic, tests, hits }: Run,
  { report }: Plan,
  load: (version: string) => Promise<unknown>,
): Promise<void> {
  const note = (line: object) => appendFileSync(report, `${JSON.stringify({ mutant, ...line })}\n`)
  let began = performance.now()
  let end: Omit<Outcome, 'mutant' | 'ms'> | null = null
  let own: RunnerTestSuite | undefined

  beforeAll(({}, suite) => {
    own = suite
    began = performance.now()
    note({ outcome: 'begun' })
    at.activeMutant = mutant
    // Many times as often in one test as in all of them together: something never ends.
    at.hitLimit = 1000 + 100 * hits
    at.hitCount = 0
    if (tests) skipUnless(own, (task) => tests.includes(nameOf(task)))
  })
  beforeEach(() => {
    at.hitCount = 0
  })
  afterEach(({ task }) => {
    if (task.result?.state === 'fail' && own) skipUnless(own, () => false)
  })
  afterAll(({}, suite) => {
    at.activeMutant = undefined
    end ??= endOf(suite)
    note({ ms: Math.round(performance.now() - began), ...end })
  })

  try {
    at.activeMutant = mutant
    at.hitLimit = 100_000
    at.hitCount = 0
    if (isStatic) vi.resetModules()
    await load(mutant || 'none-again')
  } catch (error) {
    end = { outcome: 'broken', by: 'import', why: String(error) }
    it('cannot be loaded', () => undefined)
  } finally {
    at.activeMutant = undefined
  }
}

/** Of the tests that did not begin yet. */
function skipUnless(suite: RunnerTestSuite, isWanted: (task: Task) => boolean): boolean {
  let wanted = false
  for (const task of suite.tasks) {
    const isOf = task.type === 'suite' ? skipUnless(task, isWanted) : isWanted(task)
    if (!isOf && !task.result && (task.mode === 'run' || task.mode === 'queued')) task.mode = 'skip'
    wanted ||= isOf
  }
  return wanted
}

function endOf(task: Task): Omit<Outcome, 'mutant' | 'ms'> {
  const failed = findFailed(task)
  if (!failed) return { outcome: 'survived', by: null, why: null }
  const why = failed.result?.errors?.[0]?.message ?? ''
  const timedOut = /\btimed out in \d+ms\b/.test(why)
  return { outcome: timedOut ? 'timeout' : 'killed', by: nameOf(failed), why: why.slice(0, 300) }
}

function findFailed(task: Task): Task | null {
  if (task.result?.state === 'fail' && (task.result.errors?.length ?? 0) > 0) return task
  if (task.type !== 'suite') return null
  for (const each of task.tasks) {
    const failed = findFailed(each)
    if (failed) return failed
  }
  return null
}

/** Within what `drive` put around it. */
function nameOf(task: Pick<Task, 'name'> & { suite?: Task['suite'] }): string {
  const names: string[] = []
  for (let each: typeof task | undefined = task; each?.suite; each = each.suite) names.unshift(each.name)
  return names.join(' > ')
}
