import { fileURLToPath } from 'node:url'
import { generateFiles, joinPathFragments, names, type GeneratorCallback, type Tree } from '@nx/devkit'
import { parse, print } from 'graphql'
import { finish } from '../finish.ts'
import { readApps } from '../read-apps.ts'
import { findField, type ToolField } from './find-field.ts'

export interface ToolOptions {
  readonly name: string
  readonly app: string
  readonly field?: string
}

const namePattern = /^[a-z][a-z0-9_]{0,63}$/

/**
 * Makes `apps/<app>/tools/<name>.graphql` and a test of it.
 *
 * @throws {Error} if there is such a tool, no such app, or nothing to ask it for
 */
// oxlint-disable-next-line import/no-default-export -- nx looks for it
export default function generateTool(tree: Tree, { name, app, field }: ToolOptions): GeneratorCallback {
  const apps = readApps(tree)
  const own = apps.find((each) => each.name === app)
  if (!own) throw new Error(`There is no subgraph "${app}". There are: ${apps.map((each) => each.name).join(', ')}.`)
  if (!namePattern.test(name))
    throw new Error(`"${name}" is no name of a tool: lower-case letters, digits and underscores, such as get_points.`)
  for (const { directory } of apps) {
    const file = joinPathFragments(directory, 'tools', `${name}.graphql`)
    if (tree.exists(file)) throw new Error(`There is a tool "${name}" already: ${file}. Nothing was changed.`)
  }

  const found = findField(own.schema, name, field ?? null)
  generateFiles(tree, fileURLToPath(new URL('../../src/tool/files', import.meta.url)), own.directory, {
    name,
    app,
    fileName: names(name).fileName,
    description: found.description || `Say here, for a model, what comes back and whose it is.`,
    subgraph: names(app).propertyName,
    isMutation: found.on === 'Mutation',
    argumentNames: found.arguments.map((argument) => `'${argument.name}'`).join(', '),
    operation: operationOf(name, found),
    // Whose is asked for has to be somebody: with arguments, only its author knows which make sense.
    ofUser:
      found.on === 'User' && !found.arguments.some(({ isRequired }) => isRequired)
        ? `${found.name} ${found.selection}`
        : null,
  })
  return finish(tree.root, [`npm run format --if-present -- ${own.directory}`, 'npm run compose --if-present'])
}

/** Its definition, with `@tool`, as GraphQL prints it. */
function operationOf(tool: string, { on, name, arguments: all, selection }: ToolField): string {
  const kind = on === 'Mutation' ? 'mutation' : 'query'
  const variables = all.map((argument) => `$${argument.name}: ${argument.type}`).join(', ')
  const given = all.map((argument) => `${argument.name}: $${argument.name}`).join(', ')
  const field = `${name}${given && `(${given})`} ${selection}`
  const words = tool.replaceAll('_', ' ')
  // What a user is asked before it runs has to show every argument.
  const asked = [sentence(words), ...all.map((argument) => `${argument.name} {${argument.name}}`)].join(', ')
  const summary = on === 'Mutation' ? `summary: ${JSON.stringify(asked)}, ` : ''
  const directive = `@tool(${summary}examples: ${JSON.stringify([words])})`
  const body = on === 'User' ? `viewer { ${field} }` : field
  return print(parse(`${kind} ${tool}${variables && `(${variables})`} ${directive} { ${body} }`))
}

const sentence = (words: string) => words.charAt(0).toUpperCase() + words.slice(1)
