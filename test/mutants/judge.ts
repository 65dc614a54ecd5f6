import type { Mutant } from './run-mutants.ts'

/** A mutant that no test can tell from the original, and why. */
export interface Equivalent {
  readonly file: string
  /** The line it is in, without the space around it. */
  readonly text: string
  /** Without these: whatever is changed in that line. */
  readonly original?: string
  readonly replacement?: string
  readonly reason: string
}

export interface Judgement {
  readonly survivors: readonly Mutant[]
  readonly excused: readonly Mutant[]
  /** Entries, of files that were looked at, that no survivor fits: the code changed, or a test can tell by now. */
  readonly stale: readonly Equivalent[]
}

export function judge(mutants: readonly Mutant[], equivalents: readonly Equivalent[]): Judgement {
  const survived = mutants.filter(({ outcome }) => outcome === 'survived' || outcome === 'uncovered')
  const isExcused = (mutant: Mutant) => equivalents.some((entry) => fits(entry, mutant))
  const files = new Set(mutants.map(({ file }) => file))
  return {
    survivors: survived.filter((mutant) => !isExcused(mutant)),
    excused: survived.filter(isExcused),
    stale: equivalents.filter((entry) => files.has(entry.file) && !survived.some((mutant) => fits(entry, mutant))),
  }
}

const fits = (entry: Equivalent, mutant: Mutant) =>
  (['file', 'text', 'original', 'replacement'] as const).every((name) => (entry[name] ?? mutant[name]) === mutant[name])

/** A row for each file, and one for all of them. */
export function table(mutants: readonly Mutant[], { survivors, excused }: Judgement): string {
  const row = (name: string, isOf: (mutant: Mutant) => boolean) => {
    const own = mutants.filter(isOf)
    const count = (outcome: Mutant['outcome']) => own.filter((mutant) => mutant.outcome === outcome).length
    const numbers = [
      own.length,
      count('killed'),
      count('timeout'),
      count('broken'),
      count('uncovered'),
      excused.filter(isOf).length,
      survivors.filter(isOf).length,
    ]
    return line(name, numbers)
  }
  const files = [...new Set(mutants.map(({ file }) => file))].toSorted()
  return [
    line('', ['mutants', 'killed', 'timeout', 'broken', 'uncovered', 'equivalent', 'survived']),
    ...files.map((file) => row(file, (mutant) => mutant.file === file)),
    row('all', () => true),
  ].join('\n')
}

const line = (name: string, cells: readonly unknown[]) =>
  [name.padEnd(52), ...cells.map((cell) => String(cell).padStart(10))].join(' ')

export const describeMutant = ({ file, line: number, original, replacement, mutator, outcome }: Mutant): string =>
  `${outcome}: ${file}:${number}\n  - ${original}\n  + ${replacement === '' ? '(nothing)' : replacement}    [${mutator}]`
