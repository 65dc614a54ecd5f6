import type { z } from 'zod'

export type Environment = Readonly<Record<string, string | undefined>>

/** Everything that is wrong with the environment of a process, in one error. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  /** Each is `<NAME>: <what is wrong>`, in one line, without the value: that may be a secret. */
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}

/**
 * Reads variables by a schema of an object with their names. One that is set to nothing counts as not set, as in a
 * shell's `PORT= npm start`.
 *
 * @param schema - its messages must not repeat values
 * @throws {ConfigurationError} with every fault
 */
export function readEnvironment<Schema extends z.ZodType>(schema: Schema, env: Environment): z.output<Schema> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const result = schema.safeParse(given, { error: explain })
  if (result.success) return result.data
  const faults = result.error.issues.map(({ path, message }) => `${String(path[0])}: ${message}`)
  throw new ConfigurationError([...new Set(faults)])
}

/** For what the schema has no message of its own. */
function explain(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type' && issue.input === undefined) return 'not set'
  if (issue.code === 'invalid_value')
    return issue.input === undefined ? 'not set' : `not one of ${issue.values.join(', ')}`
  return undefined
}
