import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { CompositionError, editorSchemas, findApps, type App } from '@behalf/composition'
import { GraphQLError } from 'graphql'
import { reportProblem } from './report-problem.ts'
import type { Terminal } from './run.ts'
import { resolverTypes } from './types/resolver-types.ts'

/** In the app. */
const generated = 'src/generated'
/** In the root. */
const graphFile = 'generated/graph.graphql'

/**
 * Writes the types of every app's resolvers, and what editors have to know: the composed schema, and the definitions of
 * directives that each schema links. Resolves to the exit code.
 */
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
  terminal.out(`types     ${apps.length}: apps/*/${generated}/schema.ts`)
  try {
    const { graph, definitions } = editorSchemas({ root })
    await update(join(root, graphFile), graph)
    for (const [directory, text] of definitions) await update(join(directory, generated, 'definitions.graphql'), text)
    terminal.out(`schema    ${graphFile}`)
  } catch (error) {
    if (!(error instanceof CompositionError)) throw error
    // Types of resolvers are of one schema each, and needed to mend the others.
    terminal.out(`schema    as it was: ${error.message} Say what they are with: npm run compose`)
  }
  return code
}

async function writeTypes({ directory, schema }: App): Promise<void> {
  const text = await resolverTypes({
    sdl: await readFile(schema, 'utf8'),
    hasDatabase: existsSync(join(directory, 'src/database.ts')),
    models: await exportsOf(join(directory, 'src/models.ts')),
  })
  await update(join(directory, generated, 'schema.ts'), text)
}

/** An editor, or a watcher, is told of what changed only. */
async function update(path: string, text: string): Promise<void> {
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
