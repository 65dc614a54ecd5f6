import type { ServedGraph } from './serve-graph.ts'

/** A graph that serves until it is let go of. */
export interface TakenGraph extends Disposable {
  readonly graph: ServedGraph
}

/** The graph of this moment, and those before it for whoever began with them. */
export interface ServedGraphs {
  readonly current: ServedGraph
  /** How many before it still serve somebody. */
  readonly before: number
  /** For whatever lasts longer than the moment: the whole of it is served by one graph. */
  take(): TakenGraph
  /** Whoever comes from now on is served by `graph`. Resolves when all who listen have been told. */
  replace(graph: ServedGraph): Promise<void>
  /** @returns how to be told no more */
  onReplaced(tell: (graph: ServedGraph) => Promise<void>): () => void
  /** Closes all of them; what is sent to subgraphs is answered first. */
  close(): Promise<void>
}

/** How many are told at once, before others may work. */
const toldAtOnce = 20

export function createServedGraphs(first: ServedGraph): ServedGraphs {
  let latest = generation(first)
  const open = new Set([latest])
  const listeners = new Set<(graph: ServedGraph) => Promise<void>>()

  function generation(graph: ServedGraph) {
    return { graph, uses: 0, closed: null as Promise<void> | null }
  }
  type Generation = typeof latest

  async function close(one: Generation): Promise<void> {
    await (one.closed ??= one.graph.close())
    open.delete(one)
  }
  const closeIfIdle = (one: Generation) => {
    // What remains of it is a pool, whose sockets end by themselves.
    if (one !== latest && one.uses === 0) close(one).catch(() => undefined)
  }

  return {
    get current() {
      return latest.graph
    },
    get before() {
      return open.size - 1
    },
    take() {
      const taken = latest
      let isTaken = true
      taken.uses++
      return {
        graph: taken.graph,
        [Symbol.dispose]() {
          if (!isTaken) return
          isTaken = false
          taken.uses--
          closeIfIdle(taken)
        },
      }
    },
    async replace(graph) {
      const before = latest
      latest = generation(graph)
      open.add(latest)
      closeIfIdle(before)
      const told = [...listeners]
      while (told.length > 0) {
        await Promise.all(told.splice(0, toldAtOnce).map((tell) => tell(graph)))
        await new Promise(setImmediate)
      }
    },
    onReplaced(tell) {
      listeners.add(tell)
      return () => void listeners.delete(tell)
    },
    close: async () => void (await Promise.all(Array.from(open, close))),
  }
}
