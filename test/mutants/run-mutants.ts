import { existsSync, globSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Instrumenter } from '@stryker-mutator/instrumenter'
import { createVitest, type TestUserConfig, type Vitest } from 'vitest/node'
import { addExtraMutators } from './extra-mutators.ts'
import type { Coverage, Outcome, Plan, Run } from './plan.ts'

/** One change of one place, and what became of it. */
export interface Mutant {
  readonly file: string
  readonly line: number
  /** The line it is in, to tell it from its likes. */
  readonly text: string
  /** Of those that are the same change in the same text: which. */
  readonly nth: number
  readonly original: string
  readonly replacement: string
  readonly mutator: string
  /** A test failed, or none ended in time, or none could begin; or all passed, or none runs it. */
  readonly outcome: Exclude<Outcome['outcome'], 'begun'> | 'uncovered'
  /** The test that failed, and with which words. */
  readonly by: string | null
  readonly why: string | null
}

export interface MutationRun {
  /** Folder of a workspace, from the root of the repository. */
  readonly workspace: string
  /** Patterns of the files to mutate, from the workspace. */
  readonly files: readonly string[]
  /** Patterns of the files of tests. */
  readonly tests: readonly string[]
  /** Of an earlier run: what was killed then is not run again. */
  readonly known: readonly Mutant[]
  /** What is known after each file of tests, if the run should not come to its end. */
  readonly save: (mutants: readonly Mutant[]) => void
}

/** Not about what is decided: texts, literals, names that come out otherwise. */
const excludedMutations = [
  'StringLiteral',
  'ObjectLiteral',
  'ArrayDeclaration',
  'ArrowFunction',
  'Regex',
  'OptionalChaining',
]

type Change = Omit<Mutant, 'outcome' | 'by' | 'why'> & { readonly id: string }

/**
 * Gives each mutant to the tests that run it, until one fails: file by file of tests, the quickest first. All mutants
 * are in the code at once, and switched on one at a time (Stryker's instrumenter), so that a process loads it once for
 * all of them and not for each.
 */
export async function runMutants({ workspace, files, tests, known, save }: MutationRun): Promise<Mutant[]> {
  const root = process.cwd()
  const folder = join(root, workspace)
  const find = (patterns: readonly string[]) => globSync(patterns, { cwd: folder }).map((name) => join(folder, name))
  const isCode = (name: string) => !/(?:\.test|\.spec|fixtures)\.ts$/.test(name)
  const { changes, code } = await instrument(root, find(files).filter(isCode).toSorted())
  const testFiles = find(tests).filter((name) => /\.(?:test|spec)\.ts$/.test(name))
  const before = new Map(known.filter(({ outcome }) => outcome === 'killed').map((mutant) => [keyOf(mutant), mutant]))

  const report = join(root, `.reports/mutants/outcomes-${process.pid}.jsonl`)
  process.chdir(folder)
  const vitest = await startVitest(folder, code, new Set(testFiles))
  try {
    const covered: { file: string; ms: number; coverage: Coverage }[] = []
    for (const file of testFiles) {
      const began = performance.now()
      const [coverage] = await run<Coverage>(vitest, file, { kind: 'cover', runs: [], report })
      if (!coverage) throw new Error(`${relative(root, file)} does not pass as it is.`)
      covered.push({ file, ms: Math.round(performance.now() - began), coverage })
    }
    const outcomes = new Map<string, Ended>()
    const isAlive = ({ id }: Change) => (outcomes.get(id)?.outcome ?? 'survived') === 'survived'
    const told = () =>
      changes.map(({ id, ...change }): Mutant => {
        const { outcome, by, why } = before.get(keyOf(change)) ?? outcomes.get(id) ?? uncovered
        return { ...change, outcome, by, why }
      })
    const open = changes.filter((change) => !before.has(keyOf(change)))
    console.log(`${changes.length} mutants, ${open.length} to be run`)
    for (const { file, ms, coverage } of covered.toSorted((a, b) => a.ms - b.ms)) {
      const runs = open.filter(isAlive).flatMap(({ id }) => runOf(id, coverage) ?? [])
      if (runs.length === 0) continue
      const began = performance.now()
      for (const outcome of await runAll(vitest, file, runs, report)) outcomes.set(outcome.mutant, outcome)
      save(told())
      const seconds = Math.round((performance.now() - began) / 1000)
      console.log(
        `${relative(folder, file)} (${ms} ms): ${runs.length} run, ${open.filter(isAlive).length} left, ${seconds} s`,
      )
    }
    return told()
  } finally {
    await vitest.close()
    process.chdir(root)
  }
}

const uncovered = { outcome: 'uncovered', by: null, why: null } as const

async function instrument(root: string, paths: readonly string[]) {
  await addExtraMutators()
  const quiet = () => undefined
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet, trace: quiet, fatal: quiet }
  const is = () => false
  const logger = { ...log, isDebugEnabled: is, isInfoEnabled: is, isWarnEnabled: is, isErrorEnabled: is }
  const instrumenter = new Instrumenter({ ...logger, isTraceEnabled: is, isFatalEnabled: is })
  const given = paths.map((name) => ({ name, mutate: true, content: readFileSync(name, 'utf8') }))
  const { files, mutants } = await instrumenter.instrument(given, { excludedMutations, ignorers: [], plugins: null })
  const likes = new Map<string, number>()
  const changes = mutants
    .filter(({ status }) => status === undefined)
    .map(({ id, fileName, location, mutatorName, replacement }): Change => {
      const lines = readFileSync(fileName, 'utf8').split('\n')
      const change = {
        file: relative(root, fileName),
        text: lines[location.start.line]?.trim() ?? '',
        original: oneLine(between(lines, location)),
        replacement: oneLine(replacement),
        mutator: mutatorName,
      }
      const key = JSON.stringify(change)
      const nth = (likes.get(key) ?? 0) + 1
      likes.set(key, nth)
      return { ...change, id, line: location.start.line + 1, nth }
    })
  return { changes, code: new Map(files.map(({ name, content }) => [name, content])) }
}

async function startVitest(folder: string, code: ReadonlyMap<string, string>, tests: ReadonlySet<string>) {
  const drive = join(import.meta.dirname, 'drive.ts')
  const options: TestUserConfig = {
    root: folder,
    watch: false,
    isolate: false,
    fileParallelism: false,
    maxWorkers: 1,
    // What is loaded is not what is on the disk.
    fsModuleCache: false,
    // Enough for any test, and soon full of what never ends.
    execArgv: ['--max-old-space-size=1024'],
    // Whoever shares the processors must not pass for what hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: [{}],
  }
  const vitest = await createVitest('test', options, {
    plugins: [
      {
        name: 'mutants',
        enforce: 'pre',
        transform(_code: string, id: string) {
          const [path = '', query] = id.split('?')
          if (!tests.has(path)) return code.get(path)
          if (query) return undefined
          const again = JSON.stringify(`${path}?mutant=`)
          return `import { drive } from ${JSON.stringify(drive)}\ndrive((version) => import(${again} + version))`
        },
      },
    ],
  })
  return vitest
}

/** One that ends the process, by all its memory for example, is one that is noticed; those after it are run in a new one. */
async function runAll(vitest: Vitest, file: string, runs: readonly Run[], report: string): Promise<Ended[]> {
  const ended = new Map<string, Ended>()
  const alone: Ended[] = []
  for (;;) {
    const left = runs.filter(({ mutant }) => !ended.has(mutant))
    const found = await run<Outcome>(vitest, file, { kind: 'mutate', runs: left, report })
    const last = found.at(-1)
    for (const outcome of found) if (isEnded(outcome)) ended.set(outcome.mutant, outcome)
    // Where a hook of the file fails as all is over, nobody is left to say how it was.
    for (const { mutant, ...begun } of found.slice(0, -1))
      if (mutant !== '' && !ended.has(mutant))
        ended.set(mutant, { ...begun, mutant, outcome: 'killed', by: 'hooks', why: 'the file could not be closed' })
    if (last?.mutant === '' && last.outcome === 'survived') return [...ended.values()]
    if (!last || isEnded(last) || last.mutant === '') {
      // Something that a mutant left behind fails the tests of those after it, too: each by itself, then.
      if (runs.length <= 1) throw new Error(`${file} does not pass with its mutant over: ${JSON.stringify(last)}`)
      console.log(`${file}: one by one, since it fails once its mutants are over: ${last?.by} ${last?.why}`)
      for (const one of runs) for (const outcome of await runAll(vitest, file, [one], report)) alone.push(outcome)
      return alone
    }
    ended.set(last.mutant, { ...last, outcome: 'killed', by: 'process', why: 'it ended' })
  }
}

type Ended = Outcome & { readonly outcome: Exclude<Outcome['outcome'], 'begun'> }

const isEnded = (outcome: Outcome): outcome is Ended => outcome.outcome !== 'begun'

async function run<Line>(vitest: Vitest, file: string, plan: Plan): Promise<Line[]> {
  rmSync(plan.report, { force: true })
  vitest.provide('plan', plan)
  vitest.state.filesMap.clear()
  await vitest.start([file])
  for (const { result, tasks } of vitest.state.getFiles())
    for (const { errors = [] } of [result ?? {}, ...tasks.map((task) => task.result ?? {})])
      for (const { message } of errors) if (plan.kind === 'cover') console.error(message)
  if (!existsSync(plan.report)) return []
  const lines = readFileSync(plan.report, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as Line)
}

/** Null where no test runs it. */
function runOf(mutant: string, { isStatic, always, tests }: Coverage): Run | null {
  const names = Object.keys(tests).filter((name) => tests[name]?.[mutant])
  const hits = names.reduce((sum, name) => sum + (tests[name]?.[mutant] ?? 0), 0)
  if (isStatic.includes(mutant)) return { mutant, isStatic: true, tests: null, hits: hits + 1000 }
  if (always.includes(mutant)) return { mutant, isStatic: false, tests: null, hits: hits + 1000 }
  return names.length > 0 ? { mutant, isStatic: false, tests: names, hits } : null
}

const keyOf = ({ file, text, nth, original, replacement, mutator }: Omit<Change, 'id'>) =>
  JSON.stringify([file, text, nth, original, replacement, mutator])

interface Position {
  readonly line: number
  readonly column: number
}

/** Lines and columns count from 0; the end is not part of it. */
function between(lines: readonly string[], { start, end }: { start: Position; end: Position }): string {
  const within = lines.slice(start.line, end.line + 1)
  within.push((within.pop() ?? '').slice(0, end.column))
  return within.join('\n').slice(start.column)
}

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').trim()
