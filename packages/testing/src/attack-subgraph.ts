import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Aim, aimAt } from './subgraph-attacks/aim-at.ts'
import type { Target } from './subgraph-attacks/attack.ts'
import { subgraphAttacks } from './subgraph-attacks/subgraph-attacks.ts'
import {
  type CreateSubgraph,
  describeSubgraph,
  testSubgraph,
  type TestSubgraph,
  type TestSubgraphOptions,
} from './test-subgraph.ts'

export interface AttackOptions<Tables> extends TestSubgraphOptions, Aim<Tables> {}

/**
 * Registers tests that attack a subgraph, each with its acceptable twin: `attackSubgraph(loyalty, { mine: 'ada', theirs:
 * 'ben' })`. What there is to attack is read from its schema, and found by asking it.
 */
export function attackSubgraph<Tables = unknown>(create: CreateSubgraph, options: AttackOptions<Tables>): void {
  const { name, schema } = describeSubgraph(create)
  describe(`${name} under attack`, () => {
    let app: TestSubgraph<Tables>
    let target: Target
    beforeAll(async () => {
      app = await testSubgraph<Tables>(create, options)
      target = await aimAt(app, schema, options)
    })
    afterAll(() => app.close())

    for (const attack of subgraphAttacks.filter(({ applies = () => true }) => applies(schema))) {
      it(`[${attack.promise}] withstands ${attack.name}`, async () => {
        await expect(attack.withstand(target)).resolves.toBeUndefined()
      })
    }
  })
}
