import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Graph } from '@behalf/identity'
import { metrics } from '@opentelemetry/api'
import type { Logger } from 'pino'
import { describeCause } from '../describe-cause.ts'
import { type GraphProblem, GraphRefused, readGraph } from './read-graph.ts'
import type { ServedGraph } from './serve-graph.ts'
import { createServedGraphs, type ServedGraphs } from './served-graphs.ts'
import { watchContent } from './watch-content.ts'

/** Which graph is served. */
export interface GraphStatus {
  /** `hash` of the graph. */
  readonly hash: string
  /** When it began to be served, as ISO 8601. */
  readonly since: string
  /** Why what is in the file now is not served instead; null where it is. */
  readonly problem: GraphProblem | null
  /** How many graphs before it still serve what began with them. */
  readonly before: number
}

export interface FollowedGraph {
  readonly graphs: ServedGraphs
  readonly status: GraphStatus
  /**
   * Serves what is in the file now. Resolves when whoever comes is served by it, and streams that it does not allow have
   * been told; where it cannot be served, with the problem, and the graph before it serves on.
   */
  reload(): Promise<GraphStatus>
  /** Follows no more, and closes what is served. */
  close(): Promise<void>
}

/**
 * Serves the graph of a file. Whether it has changed is told by its bytes, not by its times.
 *
 * @param serve - throws what is wrong with a graph.
 * @throws what is wrong with the first one.
 */
export async function followGraph(options: {
  readonly path: string
  readonly isWatched: boolean
  readonly serve: (graph: Graph) => Promise<ServedGraph>
  readonly log: Logger
}): Promise<FollowedGraph> {
  const { path, isWatched, serve, log } = options
  const reloads = metrics.getMeter('@behalf/gateway').createCounter('behalf.gateway.graph.reloads', {
    description: 'Graphs that were read again, by what became of them',
  })

  async function read(): Promise<{ text: string; digest: string }> {
    try {
      const bytes = await readFile(path)
      return { text: bytes.toString(), digest: createHash('sha256').update(bytes).digest('base64url') }
    } catch (cause) {
      throw new GraphRefused(
        { message: `The graph cannot be read from ${path}. Make it with: npm run compose`, file: path },
        { cause },
      )
    }
  }

  const first = await read()
  const graphs = createServedGraphs(await serve(readGraph(first.text, path)))
  let served = first.digest
  let status: Omit<GraphStatus, 'before'> = {
    hash: graphs.current.hash,
    since: new Date().toISOString(),
    problem: null,
  }
  let isClosed = false

  const told = (): GraphStatus => ({ ...status, before: graphs.before })

  async function look(): Promise<GraphStatus> {
    if (isClosed) return told()
    let refused: string | null = null
    try {
      const { text, digest } = await read()
      if (digest === served) {
        status = { ...status, problem: null }
        return told()
      }
      const graph = readGraph(text, path)
      refused = graph.hash
      const next = await serve(graph)
      served = digest
      status = { hash: next.hash, since: new Date().toISOString(), problem: null }
      reloads.add(1, { outcome: 'served' })
      log.info({ hash: next.hash, before: graphs.current.hash }, 'a new graph is served')
      await graphs.replace(next)
    } catch (error) {
      const problem = { ...problemOf(error, path), ...(refused !== null && { hash: refused }) }
      status = { ...status, problem }
      reloads.add(1, { outcome: 'refused' })
      log.error(
        { ...problem, reason: describeCause(error), serving: status.hash },
        'the new graph is refused, and the one before it serves on',
      )
    }
    return told()
  }

  // One after the other: the last one to be asked for is the one that serves.
  let last: Promise<GraphStatus> = Promise.resolve(told())
  const reload = () => (last = last.then(look))
  const unwatch = isWatched ? watchContent(path, { known: served, changed: () => void reload() }) : () => undefined

  return {
    graphs,
    get status() {
      return told()
    },
    reload,
    async close() {
      isClosed = true
      unwatch()
      await last
      await graphs.close()
    },
  }
}

function problemOf(error: unknown, file: string): GraphProblem {
  if (error instanceof GraphRefused) return error.problem
  return { message: describeCause(error) ?? 'The graph cannot be served.', file }
}
