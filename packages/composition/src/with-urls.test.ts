import { buildSchema } from 'graphql'
import { expect, it } from 'vitest'
import { canonicalHash } from './canonical-hash.ts'
import { composed } from './fixtures.ts'
import { withUrls } from './with-urls.ts'

it('a graph is the same with subgraphs somewhere else, but for its hash', async () => {
  const { graph } = await composed()
  const moved = withUrls(
    graph,
    new Map([
      ['orders', 'http://127.0.0.1:5/"graphql'],
      ['nobody', 'http://x'],
    ]),
  )
  expect(moved.supergraph).toContain('@join__graph(name: "orders", url: "http://127.0.0.1:5/\\"graphql")')
  expect(moved.supergraph).toContain('@join__graph(name: "identity", url: "http://127.0.0.1:4101/graphql")')
  expect(() => buildSchema(moved.supergraph, { assumeValid: true })).not.toThrow()
  const { hash, ...rest } = moved
  expect(hash).toBe(canonicalHash(rest))
  expect(hash).not.toBe(graph.hash)
  expect(withUrls(moved, new Map([['orders', 'http://127.0.0.1:4102/graphql']]))).toEqual(graph)
})
