import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attacks, keepPrivate, type Operation, withstand } from './attacks.ts'
import type { TestClaims } from './test-principal.ts'
import { testSubgraph, type TestSubgraph, type TestSubgraphOptions } from './test-subgraph.ts'
import { withoutRowSecurity } from './without-row-security.ts'

export interface AttackOptions<Tables> extends TestSubgraphOptions {
  /** Owner of the rows that `prepare` inserts, such as `ada`. */
  readonly mine: string
  /** Somebody of the same tenant, with the same scopes. */
  readonly theirs: string
  /** Of both; whatever `query` and `mutation` ask for. */
  readonly claims?: TestClaims
  readonly prepare: (app: TestSubgraph<Tables>) => Promise<unknown>
  /**
   * `shows`: a text in the data that `mine` is given, such as a row's id, and nobody else may be given: not even where
   * the database would let them, so it is part of an object that has an `@owner`.
   */
  readonly query: Operation & { readonly shows: string }
  /** One that succeeds each time it is sent anew. */
  readonly mutation?: Operation
}

/** Registers tests that attack a subgraph, each with its acceptable twin. */
export function attackSubgraph<Tables = unknown>(options: AttackOptions<Tables>): void {
  const { name, mine, theirs, claims, prepare, query, mutation } = options
  describe(`${name} under attack`, () => {
    let app: TestSubgraph<Tables>
    beforeAll(async () => {
      app = await testSubgraph<Tables>(options)
      await prepare(app)
    })
    afterAll(() => app.close())

    const operations = mutation ? [query, mutation] : [query]
    for (const attack of attacks.filter(({ onMutations = false }) => mutation !== undefined || !onMutations)) {
      it(`refuses ${attack.name}`, async () => {
        const target = { url: app.url, caller: app.as(mine, claims), operations }
        await expect(withstand(target, attack)).resolves.toBeUndefined()
      })
    }

    it('has no way around row-level security in its database', async () => {
      expect(await app.violations()).toEqual([])
    })

    const keep = () => {
      const other = app.as(theirs, claims)
      const stranger = app.as(theirs, { ...claims, tenant: 'elsewhere' })
      const others = [other, stranger, other.agent({ tool: 'get_everything' }), app.anonymous()]
      return keepPrivate(app.as(mine, claims), others, query)
    }
    it(`shows nobody else the rows of ${mine}`, async () => {
      await expect(keep()).resolves.toBeUndefined()
    })
    it(`shows nobody else the rows of ${mine} where row-level security would`, async () => {
      await expect(withoutRowSecurity(app, keep)).resolves.toBeUndefined()
    })
  })
}
