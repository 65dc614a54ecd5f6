import { beforeAll, describe, expect, it } from 'vitest'
import { compareModes, createSubject, type Subject } from './fixtures/differential.ts'
import { seededDraw } from './fixtures/seeded-draw.ts'
import { supergraphs } from './fixtures/supergraphs.ts'

/** Each in five modes: sound, with errors, with garbage, with faults in keys and requirements, with a subgraph down. */
const operations = 100

describe.each(Object.entries(supergraphs))('random operations on the graph "%s"', (name, schemas) => {
  let subject: Subject
  beforeAll(async () => {
    subject = await createSubject(name, schemas)
  })

  it('are answered as by the graph itself, and as by the stock executor but where that is wrong', async () => {
    const counts = { equal: 0, stock: 0, planner: 0, different: 0 }
    for (let seed = 1; seed <= operations; seed++)
      for (const { verdict, describe: told } of await compareModes(subject, seededDraw(seed))) {
        counts[verdict]++
        expect(verdict, `seed ${seed}: ${verdict === 'different' ? told() : ''}`).not.toBe('different')
      }
    expect(counts.equal).toBeGreaterThan(operations)
    // Of others, such an operation is too rare to be among these.
    expect(counts.planner > 0).toBe(name === 'requirements')
  })
})
