import type { Graph } from '@behalf/identity'
import { Kind, parse, print, visit, type ArgumentNode } from 'graphql'
import { canonicalHash } from './canonical-hash.ts'

/**
 * The same graph with subgraphs somewhere else.
 *
 * @param urls - of their GraphQL, by name of the subgraph; of others it stays as it is
 */
export function withUrls(graph: Graph, urls: ReadonlyMap<string, string>): Graph {
  const supergraph = visit(parse(graph.supergraph, { noLocation: true }), {
    Directive(node) {
      if (node.name.value !== 'join__graph') return undefined
      const name = textOf(node.arguments?.find((argument) => argument.name.value === 'name'))
      const url = name === null ? undefined : urls.get(name)
      if (url === undefined) return undefined
      const moved = (node.arguments ?? []).map((argument) =>
        argument.name.value === 'url' ? { ...argument, value: { kind: Kind.STRING, value: url } } : argument,
      )
      return { ...node, arguments: moved }
    },
  })
  const { hash: _before, ...rest } = graph
  const moved = { ...rest, supergraph: `${print(supergraph)}\n` }
  return { ...moved, hash: canonicalHash(moved) }
}

const textOf = (argument: ArgumentNode | undefined) =>
  argument?.value.kind === Kind.STRING ? argument.value.value : null
