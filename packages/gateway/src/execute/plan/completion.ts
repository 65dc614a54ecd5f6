/** Where the completion of an answer is, and what it found. */
export interface Completion {
  /** Response names and indexes down to the value at hand: the first `depth` of them. */
  readonly path: (string | number)[]
  depth: number
  /** Places whose value is none of their type, or null where that is not allowed; not more than an answer should list. */
  readonly misfits: (readonly (string | number)[])[]
  /** As the client sent them: introspection may have arguments. */
  readonly variables: Readonly<Record<string, unknown>>
}

export type Complete = (value: unknown, at: Completion) => unknown

const maxMisfits = 100

export const startCompletion = (variables: Readonly<Record<string, unknown>>): Completion => ({
  path: [],
  depth: 0,
  misfits: [],
  variables,
})

/** Notes that the value at hand does not fit, and takes null for it. */
export function misfit({ path, depth, misfits }: Completion): null {
  if (misfits.length < maxMisfits) misfits.push(path.slice(0, depth))
  return null
}
