import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { CompositionError, findApps, type App } from '@behalf/composition'
import { GraphQLError } from 'graphql'
import { reportProblem } from './report-problem.ts'
import type { Terminal } from './run.ts'
import { resolverTypes } from './types/resolver-types.ts'

/** In the app. */
const target = 'src/generated/schema.ts'

/** Writes the types of every app's resolvers. Resolves to the exit code. */
export async function typesCommand(options: { readonly root: string }, terminal: Terminal): Promise<number> {
  const root = resolve(terminal.cwd, options.root)
  let apps: readonly App[]
  try {
    apps = findApps(root)
  } catch (error) {
    if (!(error instanceof CompositionError)) throw error
    for (const problem of error.problems) reportProblem(problem, '', terminal)
    return 1
  }
  let code = 0
  for (const app of apps) {
    try {
      await writeTypes(app)
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      const line = error.locations?.[0]?.line ?? 1
      terminal.error(`${relative(root, app.schema)}:${line}  ${error.message}`)
      code = 1
    }
  }
  terminal.out(`types     ${apps.length}: apps/*/${target}`)
  return code
}

async function writeTypes({ directory, schema }: App): Promise<void> {
  const path = join(directory, target)
  const text = await resolverTypes({
    sdl: await readFile(schema, 'utf8'),
    hasDatabase: existsSync(join(directory, 'src/database.ts')),
    models: await exportsOf(join(directory, 'src/models.ts')),
  })
  // An editor, or a watcher, is told of what changed only.
  if ((await readFile(path, 'utf8').catch(() => null)) === text) return
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

/** Names of the types that a file exports; none where there is no file. */
async function exportsOf(path: string): Promise<ReadonlySet<string>> {
  if (!existsSync(path)) return new Set()
  const text = await readFile(path, 'utf8')
  return new Set(Array.from(text.matchAll(/^export (?:type|interface) (\w+)/gm), ([, name = '']) => name))
}
