import { rename, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Problem } from '@behalf/composition'
import type { Graph } from '@behalf/identity'
import { z } from 'zod'

const pause = 30

/** What the gateway says at `/readyz?verbose` of its internal port. */
const status = z.object({
  graph: z.object({
    hash: z.string(),
    problem: z.object({ message: z.string(), hash: z.string().optional() }).nullable(),
    before: z.number(),
  }),
})

export interface ServedGraph {
  /**
   * Has the gateway serve it.
   *
   * @returns null once it does, to whoever comes; otherwise why it does not, and serves the one before
   */
  serve(graph: Graph): Promise<string | null>
  /** Has the gateway say what keeps a new graph from being made; it goes on with the one it has. */
  tell(problems: readonly Problem[]): Promise<void>
  /** Waits until nobody is served by a graph before this one, or `within` milliseconds. */
  untilAlone(within: number): Promise<void>
}

/**
 * The graph that the gateway serves, by way of the file that it watches.
 *
 * @param statusUrl - where the gateway says which one it serves
 * @param within - milliseconds that it may take
 */
export function servedGraph(options: {
  readonly path: string
  readonly statusUrl: string
  readonly within: number
  readonly signal: AbortSignal
}): ServedGraph {
  const { path, statusUrl, within, signal } = options

  async function read() {
    const response = await fetch(statusUrl, { signal: AbortSignal.any([signal, AbortSignal.timeout(within)]) })
    return status.parse(await response.json()).graph
  }

  return {
    async serve(graph) {
      await replaceFile(path, JSON.stringify(graph))
      for (const end = performance.now() + within; performance.now() < end; await delay(pause, undefined, { signal })) {
        const { hash, problem } = await read()
        if (hash === graph.hash) return null
        if (problem?.hash === graph.hash) return problem.message
      }
      return `The gateway does not serve it after ${within / 1000} s.`
    },
    async tell(problems) {
      const told = problems.map(({ file, line, code, message, advice }) => ({
        file,
        line,
        message: `${code} ${message} ${advice}`,
      }))
      await replaceFile(path, JSON.stringify({ format: 1, problems: told }))
    },
    async untilAlone(patience) {
      for (
        const end = performance.now() + patience;
        performance.now() < end;
        await delay(5 * pause, undefined, { signal })
      )
        if ((await read()).before === 0) return
    },
  }
}

/** Whoever reads it reads the old or the new one, never half of one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`
  await writeFile(draft, text)
  await rename(draft, path)
}
