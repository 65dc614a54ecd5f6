import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Stryker } from '@stryker-mutator/core'
import { addExtraMutators } from './extra-mutators.ts'

/** One change of one place, and what became of it. */
export interface Mutant {
  readonly file: string
  readonly line: number
  /** The line it is in, to tell it from its likes. */
  readonly text: string
  readonly original: string
  readonly replacement: string
  readonly mutator: string
  /** Of the file's tests one failed, or none ended in time, or none could begin; or all passed. */
  readonly outcome: 'killed' | 'timeout' | 'broken' | 'survived'
}

export interface MutationRun {
  /** Folder of a workspace, from the root of the repository, where this process runs. */
  readonly workspace: string
  /** Patterns of the files to mutate, from the root. */
  readonly files: readonly string[]
  /** Where the outcomes are kept; what is unchanged since is not run again if `resume` is set. */
  readonly memory: string
  readonly resume: boolean
}

const outcomes: Readonly<Record<string, Mutant['outcome']>> = {
  Killed: 'killed',
  Timeout: 'timeout',
  RuntimeError: 'broken',
  Survived: 'survived',
  NoCoverage: 'survived',
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

/**
 * Mutates a copy of the repository, in `.reports`; each mutant is given to those tests of its workspace that run it,
 * until one fails. Neighbours are imported from the repository itself, unchanged.
 */
export async function runStryker({ workspace, files, memory, resume }: MutationRun): Promise<Mutant[]> {
  await addExtraMutators()
  const stryker = new Stryker({
    mutate: [...files, ...['*.test', '{fixtures,*-fixtures}'].map((name) => `!**/${name}.ts`)],
    ignorePatterns: ['.reports', '.turbo', '.behalf'],
    tempDirName: '.reports/stryker',
    cleanTempDir: 'always',
    disableTypeChecks: false,
    mutator: { excludedMutations },
    testRunner: 'vitest',
    plugins: [fileURLToPath(import.meta.resolve('@stryker-mutator/vitest-runner'))],
    vitest: { configFile: `${workspace}/vitest.config.ts`, dir: workspace },
    coverageAnalysis: 'perTest',
    concurrency: 1,
    // Whoever shares the processors must not pass for an endless loop.
    timeoutMS: 20_000,
    incremental: resume,
    incrementalFile: memory,
    reporters: ['progress-append-only'],
    allowConsoleColors: false,
  })
  const results = await stryker.runMutationTest()
  const counted = results.filter(({ status }) => status !== 'Ignored')
  return counted.map(({ fileName, location, mutatorName, replacement, status }) => {
    const lines = readFileSync(fileName, 'utf8').split('\n')
    const outcome = outcomes[status]
    if (outcome === undefined) throw new Error(`Stryker says "${status}" of a mutant in ${fileName}.`)
    return {
      file: relative('.', fileName),
      line: location.start.line,
      text: lines[location.start.line - 1]?.trim() ?? '',
      original: oneLine(between(lines, location)),
      replacement: oneLine(replacement),
      mutator: mutatorName,
      outcome,
    }
  })
}

interface Position {
  readonly line: number
  readonly column: number
}

/** Lines and columns count from 1; the end is not part of it. */
function between(lines: readonly string[], { start, end }: { start: Position; end: Position }): string {
  const within = lines.slice(start.line - 1, end.line)
  within.push((within.pop() ?? '').slice(0, end.column - 1))
  return within.join('\n').slice(start.column - 1)
}

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').trim()
