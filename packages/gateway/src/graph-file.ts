import { readFileSync } from 'node:fs'
import type { Graph } from '@behalf/identity'

/** Reads what `behalf compose` wrote. @throws {TypeError} that says what to do. */
export function readGraph(path: string): Graph {
  let graph: Partial<Graph>
  try {
    graph = JSON.parse(readFileSync(path, 'utf8')) as Partial<Graph>
  } catch (cause) {
    throw new TypeError(`The graph cannot be read from ${path}. Make it with: npm run compose`, { cause })
  }
  const { format, supergraph, rules, subjects } = graph
  if (format !== 1 || supergraph === undefined || rules === undefined || subjects === undefined) {
    throw new TypeError(`${path} is not a graph of this version. Make it anew with: npm run compose`)
  }
  return graph as Graph
}
