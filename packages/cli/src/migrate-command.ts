import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { authoritySchema } from '@behalf/authority'
import { CompositionError, findApps } from '@behalf/composition'
import { provision } from '@behalf/postgres'
import { reportProblem } from './report-problem.ts'
import type { Terminal } from './run.ts'

interface Part {
  /** Of the role. */
  readonly name: string
  readonly schema?: string
  readonly migrations: string
}

/** Brings the gateway's records and the tables of all apps up to date; each role gets the password its process is given. */
export async function migrateCommand(
  options: {
    readonly root: string
    readonly adminUrl: string | null
    readonly urlOf: (name: string) => string | null
  },
  terminal: Terminal,
): Promise<number> {
  const { adminUrl, urlOf } = options
  let parts: Part[]
  try {
    parts = [authoritySchema, ...appsWithTables(resolve(terminal.cwd, options.root))]
  } catch (error) {
    if (!(error instanceof CompositionError)) throw error
    for (const problem of error.problems) reportProblem(problem, '', terminal)
    return 1
  }
  const wanted = parts.map((part) => ({ ...part, ...readPassword(part.name, urlOf(part.name)) }))
  const faults = [
    ...(adminUrl === null ? ["DATABASE_URL must be set: the administrator's."] : []),
    ...wanted.flatMap(({ fault }) => fault ?? []),
  ]
  for (const fault of faults) terminal.error(fault)
  if (adminUrl === null || faults.length > 0) return 2
  for (const { name, schema = name, migrations, password } of wanted) {
    try {
      await provision({ adminUrl, name, schema, migrations, password })
      terminal.out(`${name} is up to date`)
    } catch (error) {
      const cause: unknown = error instanceof AggregateError ? error.errors[0] : error
      terminal.error(
        `The database cannot be made ready for ${name}: ${cause instanceof Error ? cause.message : String(cause)}`,
      )
      return 1
    }
  }
  return 0
}

/** An app without migrations has no tables. */
const appsWithTables = (root: string): Part[] =>
  findApps(root)
    .map(({ name, directory }) => ({ name, migrations: join(directory, 'migrations') }))
    .filter(({ migrations }) => existsSync(migrations))

/** No message has the value: a password is in it. */
function readPassword(name: string, text: string | null): { readonly password: string; readonly fault?: string } {
  const variable = `${name.toUpperCase()}_DATABASE_URL`
  const url = text !== null && URL.canParse(text) ? new URL(text) : null
  const password = decodeURIComponent(url?.password ?? '')
  const advice = `what ${name} is given as DATABASE_URL, with the user "${name}" and a password`
  if (url?.username === name && password !== '') return { password }
  return { password, fault: `${variable} must be set: ${advice}.` }
}
