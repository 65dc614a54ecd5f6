import type { Graph } from '@behalf/identity'
import type { Logger } from 'pino'
import { describeCause } from '../describe-cause.ts'
import { gatewayMeter } from '../measure/meter.ts'
import type { GraphSource } from './graph-source.ts'
import { type GraphProblem, GraphRefused, readGraph } from './read-graph.ts'
import type { ServedGraph } from './serve-graph.ts'
import { createServedGraphs, type ServedGraphs } from './served-graphs.ts'

/** Which graph is served. */
export interface GraphStatus {
  /** `hash` of the graph. */
  readonly hash: string
  /** When it began to be served, as ISO 8601. */
  readonly since: string
  /** Why what is there now is not served instead, or cannot be told; null where it is. */
  readonly problem: GraphProblem | null
  /** How many graphs before it still serve what began with them. */
  readonly before: number
}

export interface FollowedGraph {
  readonly graphs: ServedGraphs
  readonly status: GraphStatus
  /**
   * Serves what is there now. Resolves when whoever comes is served by it, and streams that it does not allow have
   * been told; where it cannot be served, with the problem, and the graph before it serves on.
   */
  reload(): Promise<GraphStatus>
  /** Follows no more, and closes what is served. */
  close(): Promise<void>
}

/**
 * Serves the graph of a source. Whether it has changed is told by its bytes, not by its times.
 *
 * @param serve - throws what is wrong with a graph.
 * @throws what is wrong with the first one.
 */
export async function followGraph(options: {
  readonly source: GraphSource
  readonly isWatched: boolean
  readonly serve: (graph: Graph) => Promise<ServedGraph>
  readonly log: Logger
}): Promise<FollowedGraph> {
  const { source, isWatched, serve, log } = options
  const reloads = gatewayMeter().createCounter('behalf.gateway.graph.reloads', {
    description: 'Graphs that were read again, by what became of them',
    unit: '{graph}',
  })
  const ended = new AbortController()

  const first = await source.read(ended.signal)
  const graphs = createServedGraphs(await serve(readGraph(first.text, source.name)))
  let served = first.digest
  let status: Omit<GraphStatus, 'before'> = {
    hash: graphs.current.hash,
    since: new Date().toISOString(),
    problem: null,
  }
  /** What was refused, which is no better for being read again. */
  let refused: { readonly digest: string; readonly problem: GraphProblem } | null = null

  const told = (): GraphStatus => ({ ...status, before: graphs.before })

  /** Null where it cannot be read. */
  async function read() {
    try {
      return await source.read(ended.signal)
    } catch (error) {
      if (ended.signal.aborted) return null
      const problem = problemOf(error, source.name)
      status = { ...status, problem }
      reloads.add(1, { 'behalf.outcome': 'unreadable' })
      log.error(
        { ...problem, reason: describeCause(error), serving: status.hash },
        'the graph cannot be read, and the one that was read last serves on',
      )
      return null
    }
  }

  async function replace({ text, digest }: { readonly text: string; readonly digest: string }): Promise<void> {
    let hash: string | null = null
    try {
      const graph = readGraph(text, source.name)
      ;({ hash } = graph)
      const next = await serve(graph)
      served = digest
      refused = null
      status = { hash: next.hash, since: new Date().toISOString(), problem: null }
      reloads.add(1, { 'behalf.outcome': 'served' })
      log.info({ hash: next.hash, before: graphs.current.hash }, 'a new graph is served')
      await graphs.replace(next)
    } catch (error) {
      const problem = { ...problemOf(error, source.name), ...(hash !== null && { hash }) }
      refused = { digest, problem }
      status = { ...status, problem }
      reloads.add(1, { 'behalf.outcome': 'refused' })
      log.error(
        { ...problem, reason: describeCause(error), serving: status.hash },
        'the new graph is refused, and the one before it serves on',
      )
    }
  }

  function isServed(): void {
    if (status.problem === null) return
    status = { ...status, problem: null }
    log.info({ hash: status.hash }, 'the graph that is served is the newest again')
  }

  /** @param isAsked - by somebody, who wants to be told again what was told before. */
  async function look(isAsked: boolean): Promise<boolean> {
    if (ended.signal.aborted) return false
    const now = await read()
    if (now === null) return false
    if (now.digest === served) isServed()
    else if (!isAsked && now.digest === refused?.digest) status = { ...status, problem: refused.problem }
    else await replace(now)
    return true
  }

  // One after the other: the last one to be asked for is the one that serves.
  let last: Promise<boolean> = Promise.resolve(true)
  const lookNext = (isAsked: boolean) => (last = last.then(() => look(isAsked)))
  const unfollow = isWatched ? source.follow(served, () => lookNext(false)) : () => undefined

  return {
    graphs,
    get status() {
      return told()
    },
    reload: () => lookNext(true).then(told),
    async close() {
      ended.abort()
      unfollow()
      await last
      await graphs.close()
    },
  }
}

function problemOf(error: unknown, file: string): GraphProblem {
  if (error instanceof GraphRefused) return error.problem
  return { message: describeCause(error) ?? 'The graph cannot be served.', file }
}
