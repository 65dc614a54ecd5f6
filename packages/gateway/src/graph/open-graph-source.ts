import { readFile } from 'node:fs/promises'
import type { Graph } from '@behalf/identity'
import { type GraphSource, graphText } from './graph-source.ts'
import { GraphRefused } from './read-graph.ts'
import { remoteGraph, type RemoteGraph } from './remote-graph.ts'
import { watchContent } from './watch-content.ts'

/**
 * @param given - a path, a URL, or the graph itself.
 * @throws {TypeError} for a URL that cannot be used.
 */
export function openGraphSource(given: string | RemoteGraph | Graph): GraphSource {
  if (typeof given !== 'string') return 'url' in given ? remoteGraph(given) : ownGraph(given)
  return /^https?:\/\//i.test(given) ? remoteGraph({ url: given }) : graphFile(given)
}

function graphFile(path: string): GraphSource {
  return {
    name: path,
    async read() {
      try {
        return graphText(await readFile(path))
      } catch (cause) {
        throw new GraphRefused(
          { message: `The graph cannot be read from ${path}. Make it with: npm run compose`, file: path },
          { cause },
        )
      }
    },
    follow: (known, look) => watchContent(path, { known, changed: () => void look() }),
  }
}

/** By way of text, as any other: whatever becomes of the object later, it is this graph that is served. */
function ownGraph(graph: Graph): GraphSource {
  const text = graphText(JSON.stringify(graph))
  return { name: 'the options', read: async () => text, follow: () => () => undefined }
}
