import { parse } from 'graphql'
import { beforeAll, describe, expect, it } from 'vitest'
import { comparable } from './fixtures/compare.ts'
import { createSubject, type Subject } from './fixtures/differential.ts'
import type { SubgraphFaults } from './fixtures/executors.ts'
import { supergraphs } from './fixtures/supergraphs.ts'

const { media } = supergraphs
if (media === undefined) throw new TypeError('There is no such graph.')

/** `reviews` has the top object as an `@interfaceObject`: what it is, `catalog` knows. */
let subject: Subject
beforeAll(async () => {
  subject = await createSubject('media', media)
})
const sound: SubgraphFaults = { seed: 1, errors: 0, garbage: 0, isHidden: false, down: null }
const ask = async (text: string, faults: SubgraphFaults) =>
  subject.ours({ text, document: parse(text), variables: {} }, faults)

describe('an object whose type is not to be had', () => {
  it('is null with the reason where fragments depend on its type, and what it is where none does', async () => {
    const down = { ...sound, down: 'catalog' }
    const { data, errors = [] } = await ask('{ top { id ... on Movie { length } } }', down)
    expect(data).toEqual({ top: null })
    expect(errors.map(({ path, extensions }) => [path, extensions['code']])).toEqual([
      [['top'], 'SUBGRAPH_UNAVAILABLE'],
    ])
    for (const text of ['{ top { id } }', '{ top { ... on Media { id } ... on Thing { id } } }'])
      expect(await ask(text, down)).toEqual({ data: { top: { id: expect.any(String) } } })
    expect(await ask('{ top { id ... on Movie { __typename } } }', sound)).toMatchObject({ data: { top: {} } })
  })

  it.each(['{ top { id ... on Movie { year } } }', '{ top { id ... on Movie { year } ... on Book { pages } } }'])(
    'is answered as by the graph itself, whatever fails: %s',
    async (text) => {
      let failed = 0
      for (let seed = 1; seed <= 100; seed++) {
        const faults = { ...sound, seed, errors: 12 }
        const answer = await ask(text, faults)
        expect(comparable(answer)).toEqual(comparable(subject.graph.answer(parse(text), {}, faults)))
        if (answer.errors) failed++
      }
      expect(failed).toBeGreaterThan(0)
    },
  )
})
