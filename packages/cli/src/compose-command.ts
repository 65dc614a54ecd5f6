import { rename, writeFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { CompositionError, compose } from '@behalf/composition'
import type { Graph } from '@behalf/identity'
import { reportProblem } from './report-problem.ts'
import type { Terminal } from './run.ts'

export async function composeCommand(
  options: { readonly root: string; readonly out: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const root = resolve(terminal.cwd, options.root)
  const path = options.out === undefined ? resolve(root, 'graph.json') : resolve(terminal.cwd, options.out)
  try {
    const { graph, warnings } = await compose({ root })
    for (const warning of warnings) reportProblem(warning, 'warning: ', terminal)
    try {
      await replace(path, `${JSON.stringify(graph, null, 2)}\n`)
    } catch (error) {
      terminal.error(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`)
      return 1
    }
    for (const line of summary(graph)) terminal.out(line)
    terminal.out(`hash      ${graph.hash}`)
    terminal.out(`written   ${relative(terminal.cwd, path) || path}`)
    return 0
  } catch (error) {
    if (!(error instanceof CompositionError)) throw error
    for (const problem of error.problems) reportProblem(problem, '', terminal)
    terminal.error(error.message)
    return 1
  }
}

/** A gateway that is starting reads the old artefact or the new one, never half of one. */
async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`
  await writeFile(draft, text)
  await rename(draft, path)
}

function summary(graph: Graph): string[] {
  const names = Object.keys(graph.subgraphs)
  const width = Math.max(0, ...graph.tools.map(({ name }) => name.length))
  return [
    `subgraphs ${names.length}: ${names.join(', ')}`,
    `rules     ${Object.keys(graph.rules).length}`,
    `tools     ${graph.tools.length}`,
    ...graph.tools.map((tool) => {
      const needs = [
        tool.scopes.map((set) => set.join(' + ')).join(' or ') || 'no scope',
        ...(tool.policies.length > 0 ? [`policy ${tool.policies.map((set) => set.join(' + ')).join(' or ')}`] : []),
        ...(tool.approval === null ? [] : ['approval']),
      ]
      return `  ${tool.name.padEnd(width)}  ${needs.join(', ')}`
    }),
  ]
}
