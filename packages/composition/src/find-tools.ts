import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Kind, type DocumentNode, type OperationDefinitionNode } from 'graphql'
import { appDirectories, relativePath } from './find-apps.ts'
import type { Place, Problems } from './problem.ts'
import { parseFile } from './read-subgraph.ts'

/** A tool before it is compiled. */
export interface ToolSource {
  readonly name: string
  /** With the fragments that the operation uses. */
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly place: Place
  /** Made from a root field with `@tool`; a file of the same name comes before it. */
  readonly generated: boolean
}

/** Reads `apps/<app>/tools/<name>.graphql`, one operation each. */
export function findTools(root: string, problems: Problems): ToolSource[] {
  return appDirectories(root).flatMap((app) => {
    const directory = join(app, 'tools')
    if (!existsSync(directory)) return []
    const files = readdirSync(directory).filter((name) => name.endsWith('.graphql'))
    return files.toSorted().flatMap((name) => readTool(root, join(directory, name), problems) ?? [])
  })
}

function readTool(root: string, path: string, problems: Problems): ToolSource | null {
  const file = relativePath(root, path)
  const document = parseFile(path, file, problems)
  if (!document) return null
  const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION)
  const foreign = document.definitions.find(
    (node) => node.kind !== Kind.OPERATION_DEFINITION && node.kind !== Kind.FRAGMENT_DEFINITION,
  )
  const [operation, second] = operations
  if (foreign) problems.add('TOOL_OPERATION', foreign, 'Something other than an operation is defined here.')
  if (second) problems.add('TOOL_OPERATION', second, 'There is more than one operation in the file.')
  if (!operation) problems.add('TOOL_OPERATION', { file }, 'There is no operation in the file.')
  if (foreign || second || !operation) return null
  if (!operation.directives?.some((directive) => directive.name.value === 'tool')) {
    problems.add('TOOL_NOT_MARKED', operation, 'The operation is not marked as a tool.')
  }
  const name = basename(path, '.graphql')
  if (operation.name?.value !== name || name.length > 64) {
    problems.add(
      'TOOL_NAME',
      operation,
      `The operation is called ${operation.name?.value ?? 'nothing'} in the file ${name}.graphql.`,
    )
    return null
  }
  return { name, document, operation, place: operation, generated: false }
}
