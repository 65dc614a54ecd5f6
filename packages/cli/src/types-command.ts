import { existsSync, globSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { CompositionError, editorSchemas, findApps, type App } from '@behalf/composition'
import { GraphQLError } from 'graphql'
import { reportProblem } from './report-problem.ts'
import type { Terminal } from './run.ts'
import { documentTypes, placeOf } from './types/document-types.ts'
import { resolverTypes } from './types/resolver-types.ts'

/** In the app. */
const generated = 'src/generated'
/** In the root. */
const graphFile = 'generated/graph.graphql'

export interface TypesOptions {
  readonly root: string
  /** Operations of a client, and where their types go; paths from where the command is run. */
  readonly client: { readonly documents: string; readonly out: string } | null
}

/**
 * Writes the types of every app's resolvers, and what editors have to know: the composed schema, and the definitions of
 * directives that each schema links. Resolves to the exit code.
 */
export async function typesCommand(options: TypesOptions, terminal: Terminal): Promise<number> {
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
      await writeTypes(app, relative(root, app.schema))
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      terminal.error(`${placeOf(error, relative(root, app.schema))}  ${error.message}`)
      code = 1
    }
  }
  terminal.out(`types     ${apps.length}: apps/*/${generated}/schema.ts`)
  try {
    const { graph, definitions } = editorSchemas({ root })
    await update(join(root, graphFile), graph)
    for (const [directory, text] of definitions) await update(join(directory, generated, 'definitions.graphql'), text)
    terminal.out(`schema    ${graphFile}`)
    if (options.client !== null) await writeDocuments(graph, options.client, terminal)
  } catch (error) {
    if (error instanceof GraphQLError) {
      terminal.error(`${placeOf(error, options.client?.documents ?? '')}  ${error.message}`)
      return 1
    }
    if (!(error instanceof CompositionError)) throw error
    if (options.client !== null) code = 1
    // Types of resolvers are of one schema each, and needed to mend the others.
    terminal.out(`schema    as it was: ${error.message} Say what they are with: npm run compose`)
  }
  return code
}

async function writeTypes({ directory, schema }: App, file: string): Promise<void> {
  const text = await resolverTypes({
    sdl: await readFile(schema, 'utf8'),
    file,
    hasDatabase: existsSync(join(directory, 'src/database.ts')),
    models: await exportsOf(join(directory, 'src/models.ts')),
  })
  await update(join(directory, generated, 'schema.ts'), text)
}

async function writeDocuments(
  graph: string,
  { documents, out }: { readonly documents: string; readonly out: string },
  { cwd, out: say }: Terminal,
): Promise<void> {
  const paths = globSync(documents, { cwd }).toSorted()
  const files = await Promise.all(paths.map(async (path) => [path, await readFile(join(cwd, path), 'utf8')] as const))
  await update(resolve(cwd, out), await documentTypes(graph, new Map(files)))
  say(`documents ${paths.length}: ${out}`)
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
