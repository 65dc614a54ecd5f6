/** What is said between `run-mutants.ts` and the process that runs tests. */
export interface Plan {
  readonly kind: 'cover' | 'mutate'
  readonly runs: readonly Run[]
  /** A file, to which each outcome is written at once: a line of JSON. */
  readonly report: string
}

/** One mutant, to be given to the tests of a file. */
export interface Run {
  readonly mutant: string
  /** Of code that runs as its module is loaded. */
  readonly isStatic: boolean
  /** Which tests run it; null: all. */
  readonly tests: readonly string[] | null
  /** How often they run it, unchanged. */
  readonly hits: number
}

/** Which mutants are run by a file's tests. */
export interface Coverage {
  readonly isStatic: readonly string[]
  /** Outside of tests: in hooks, and in the file itself. */
  readonly always: readonly string[]
  readonly tests: Readonly<Record<string, Readonly<Record<string, number>>>>
}

export interface Outcome {
  readonly mutant: string
  readonly ms: number
  /** A test failed, or did not end in time, or none could begin; or all passed. */
  readonly outcome: 'begun' | 'killed' | 'timeout' | 'broken' | 'survived'
  readonly by: string | null
  readonly why: string | null
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly plan: Plan
  }
}
