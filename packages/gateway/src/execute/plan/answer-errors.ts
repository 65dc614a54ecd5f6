import { GraphQLError } from 'graphql'
import type { ClientPathOf, Path } from './client-paths.ts'
import { invalid, type Problem } from './problem.ts'

/** Errors of one answer, at the client's places. */
export interface AnswerErrors {
  readonly all: readonly GraphQLError[]
  /** @param path - in the data of subgraphs; undefined where the subgraph did not say. */
  add(error: Problem, path: Path | undefined): void
  /**
   * Says of an object what became of some of its fields; of those that the client did not ask for, at the object.
   *
   * @param keys - of the fields, in the data of subgraphs.
   */
  addToFields(error: Problem, object: Path, keys: readonly string[]): void
  /** Adds an error for each place whose value does not fit, unless one that is there already explains it. */
  addMisfits(paths: readonly Path[]): void
}

const maxErrors = 1000

export function createAnswerErrors(clientPathOf: ClientPathOf): AnswerErrors {
  const all: GraphQLError[] = []
  function push({ message, code, details, cause }: Problem, path: Path | undefined): void {
    if (all.length >= maxErrors) return
    const extensions = { code, ...details }
    // What was thrown is for the log: see `listenOnce` of the server.
    const originalError = cause instanceof Error ? cause : null
    all.push(new GraphQLError(message, { ...(path && path.length > 0 && { path }), originalError, extensions }))
  }

  return {
    all,
    add: (error, path) => push(error, path && clientPathOf(path).path),
    addToFields(error, object, keys) {
      const fields = keys.map((key) => clientPathOf([...object, key])).filter(({ isWhole }) => isWhole)
      for (const { path } of fields) push(error, path)
      if (fields.length === 0) push(error, clientPathOf(object).path)
    },
    addMisfits(paths) {
      const known = all.map(({ path }) => path)
      for (const misfit of paths) if (!known.some((path) => explains(path, misfit))) push(invalid, misfit)
    },
  }
}

/** An error of the place itself, above it or below it, or one that may be of any place. */
const explains = (error: Path | undefined, misfit: Path) =>
  error === undefined || misfit.slice(0, error.length).every((key, index) => key === error[index])
