import { readFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { compareGraphs, compose, CompositionError, type Change, type ChangeLevel } from '@behalf/composition'
import type { Graph } from '@behalf/identity'
import { reportProblem } from './report-problem.ts'
import type { Terminal } from './run.ts'

/** Relative to the root. Not `graph.json`, which is made anew by every compose. */
const released = 'graph.released.json'

const headings: Readonly<Record<ChangeLevel, string>> = {
  LOOSENED: '!!  LOOSENED: somebody may see, do or be told of more than before',
  BREAKING: 'BREAKING: worked before, and no longer does',
  NOTED: 'Also',
}

/** Compares the repository with what was released last. Resolves to the exit code: 1 where that is not to be overlooked. */
export async function checkCommand(
  options: { readonly root: string; readonly against: string | undefined; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const root = resolve(terminal.cwd, options.root)
  const path = options.against === undefined ? resolve(root, released) : resolve(terminal.cwd, options.against)
  const shown = relative(terminal.cwd, path) || path
  let before: Graph
  try {
    before = await readReleased(path)
  } catch (error) {
    terminal.error(`There is nothing to compare with: ${error instanceof Error ? error.message : String(error)}`)
    terminal.error(`    Keep what is released: behalf compose --out ${shown}`)
    return 2
  }
  let after: Graph
  try {
    after = (await compose({ root })).graph
  } catch (error) {
    if (!(error instanceof CompositionError)) throw error
    for (const problem of error.problems) reportProblem(problem, '', terminal)
    terminal.error(error.message)
    return 2
  }
  const changes = before.hash === after.hash ? [] : compareGraphs(before, after)
  if (options.json) terminal.out(JSON.stringify({ against: before.hash, graph: after.hash, changes }, null, 2))
  else for (const line of report(changes, shown)) terminal.out(line)
  return changes.some(({ level }) => level !== 'NOTED') ? 1 : 0
}

function report(changes: readonly Change[], against: string): string[] {
  const count = (level: ChangeLevel) => changes.filter((change) => change.level === level).length
  const sections = (Object.keys(headings) as ChangeLevel[]).flatMap((level) => {
    const lines = changes.filter((change) => change.level === level)
    return lines.length === 0 ? [] : [headings[level], ...lines.map(({ code, message }) => `  ${code}  ${message}`), '']
  })
  const [loosened, breaking, noted] = [count('LOOSENED'), count('BREAKING'), count('NOTED')]
  return [...sections, `Against ${against}: ${loosened} loosened, ${breaking} breaking, ${noted} other.`]
}

/** @throws {Error} that says what is wrong with the file */
async function readReleased(path: string): Promise<Graph> {
  const graph = JSON.parse(await readFile(path, 'utf8')) as Partial<Graph> | null
  const { format, hash, supergraph, subgraphs, rules, subjects, owners, tools } = graph ?? {}
  const whole = hash && supergraph && subgraphs && rules && subjects && owners && tools
  if (format !== 1 || !whole) throw new Error(`${path} is not a graph of this version.`)
  return graph as Graph
}
