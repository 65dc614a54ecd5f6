import type { Graph } from '@behalf/identity'

/** What is wrong with a graph, and where in its file, as far as that is known. */
export interface GraphProblem {
  readonly message: string
  /** Its path, or its URL without a query. */
  readonly file: string
  /** From 1. */
  readonly line?: number
  readonly column?: number
  /** `hash` of the graph that is refused, where it has one. */
  readonly hash?: string
}

/** A graph that cannot be served. */
export class GraphRefused extends TypeError {
  override readonly name = 'GraphRefused'
  readonly problem: GraphProblem

  constructor(problem: GraphProblem, options?: ErrorOptions) {
    super(problem.message, options)
    this.problem = problem
  }
}

const advice = 'Make it with: npm run compose'

/**
 * Reads what `behalf compose` wrote.
 *
 * @param path - where this text is from; for problems.
 * @throws {GraphRefused} that says what to do.
 */
export function readGraph(text: string, path: string): Graph {
  let graph: Partial<Graph> | null
  try {
    graph = JSON.parse(text) as Partial<Graph> | null
  } catch (cause) {
    const message = `The graph cannot be read from ${path}. ${advice}`
    throw new GraphRefused({ message, file: path, ...placeOf(cause, text) }, { cause })
  }
  const problems = (graph as { readonly problems?: unknown } | null)?.problems
  if (Array.isArray(problems) && problems.length > 0) throw new GraphRefused(notComposed(problems as GraphProblem[]))
  const { format, hash, supergraph, subgraphs, rules, subjects, tools } = graph ?? {}
  const isWhole = typeof hash === 'string' && subgraphs && rules && subjects && Array.isArray(tools)
  if (format !== 1 || typeof supergraph !== 'string' || !isWhole)
    throw new GraphRefused({ message: `${path} is not a graph of this version. ${advice}`, file: path })
  return graph as Graph
}

/** Instead of a graph, what kept one from being made: the first problem's place, and all of them in words. */
function notComposed(problems: readonly GraphProblem[]): GraphProblem {
  const [{ file, line } = { file: '' }] = problems
  const message = problems.map((each) => `${each.file}:${each.line}  ${each.message}`).join('\n')
  return { message, file, ...(line !== undefined && { line }) }
}

/** A parser that knows where it stopped says so in its message; one that met the end of the text does not. */
function placeOf(error: unknown, text: string): Pick<GraphProblem, 'line' | 'column'> {
  const { message } = error instanceof Error ? error : { message: '' }
  const [, position] = /at position (\d+)/.exec(message) ?? []
  const before = text.slice(0, position === undefined ? text.length : Number(position))
  return { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') }
}
