import type { ASTNode } from 'graphql'
import { adviceByCode, type ProblemCode } from './problem-codes.ts'

/** One thing that composition refuses (or, among warnings, wants to be looked at). */
export interface Problem {
  /** Of `adviceByCode`, or one of Apollo Federation's composition error codes. Stable. */
  readonly code: string
  readonly message: string
  /** Relative to the root, with forward slashes. */
  readonly file: string
  /** From 1. */
  readonly line: number
  /** What to do about it. */
  readonly advice: string
}

/** Where a problem is: a node of a parsed file, or the file itself. */
export type Place = ASTNode | { readonly file: string; readonly line?: number } | undefined

/** Everything that composition refuses, at once. */
export class CompositionError extends Error {
  override readonly name = 'CompositionError'
  /** Sorted by file and line; at least one. */
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(`The graph does not compose: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}.`)
    this.problems = problems
  }
}

/** Collects problems, so that all are told and not only the first. */
export interface Problems {
  add(code: ProblemCode, place: Place, message: string, advice?: string): void
  warn(code: ProblemCode, place: Place, message: string, advice?: string): void
  /** A problem in the words of Federation, under its code. */
  addForeign(problem: Problem): void
  readonly warnings: readonly Problem[]
  /** @throws {CompositionError} if there are problems */
  throwIfAny(): void
}

export function collectProblems(): Problems {
  const problems = new Map<string, Problem>()
  const warnings = new Map<string, Problem>()
  const put = (into: Map<string, Problem>, problem: Problem) => into.set(JSON.stringify(problem), problem)
  const build = (code: ProblemCode, place: Place, message: string, advice?: string): Problem => ({
    code,
    message,
    ...locate(place),
    advice: advice ?? adviceByCode[code],
  })
  return {
    add: (...parts) => put(problems, build(...parts)),
    warn: (...parts) => put(warnings, build(...parts)),
    addForeign: (problem) => put(problems, problem),
    get warnings() {
      return sorted(warnings)
    },
    throwIfAny() {
      if (problems.size > 0) throw new CompositionError(sorted(problems))
    },
  }
}

/** File and line of a node that was parsed from a `Source` named after its file. */
export function locate(place: Place): { file: string; line: number } {
  if (place && 'file' in place) return { file: place.file, line: place.line ?? 1 }
  const location = place?.loc
  return location ? { file: location.source.name, line: location.startToken.line } : { file: 'apps', line: 1 }
}

function sorted(problems: Map<string, Problem>): Problem[] {
  return [...problems.values()].toSorted(
    (a, b) => compare(a.file, b.file) || a.line - b.line || compare(a.code, b.code) || compare(a.message, b.message),
  )
}

/** By code units, so that the order is the same on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
