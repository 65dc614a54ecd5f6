import { expect, it } from 'vitest'
import type { ServedGraph } from './serve-graph.ts'
import { createServedGraphs } from './served-graphs.ts'

const closed: string[] = []
const graph = (hash: string) =>
  ({
    hash,
    close: async () => void closed.push(hash),
  }) as Partial<ServedGraph> as ServedGraph

it('a graph is closed when another one is served and nobody is left who began with it, and once', async () => {
  closed.length = 0
  const graphs = createServedGraphs(graph('one'))
  const [first, second] = [graphs.take(), graphs.take()]
  first[Symbol.dispose]()
  await graphs.replace(graph('two'))
  const third = graphs.take()
  expect([first, second, third].map((taken) => taken.graph.hash)).toEqual(['one', 'one', 'two'])
  // Letting go twice is letting go once.
  first[Symbol.dispose]()
  expect(closed).toEqual([])
  expect(graphs.before).toBe(1)
  second[Symbol.dispose]()
  expect(closed).toEqual(['one'])
  await Promise.resolve()
  expect(graphs.before).toBe(0)
  third[Symbol.dispose]()
  expect(closed).toEqual(['one'])
  await graphs.replace(graph('three'))
  expect(closed).toEqual(['one', 'two'])
  const last = graphs.take()
  await graphs.replace(graph('four'))
  await graphs.close()
  last[Symbol.dispose]()
  expect(closed).toEqual(['one', 'two', 'three', 'four'])
})

it('those who listen are told before it is over, until they do not any more', async () => {
  const graphs = createServedGraphs(graph('one'))
  const heard: string[] = []
  const forget = graphs.onReplaced(async ({ hash }) => {
    await new Promise(setImmediate)
    heard.push(hash)
  })
  await graphs.replace(graph('two'))
  expect(heard).toEqual(['two'])
  forget()
  await graphs.replace(graph('three'))
  expect(heard).toEqual(['two'])
})
