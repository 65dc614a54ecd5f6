import { describe, expect, it } from 'vitest'
import { composed, refused, type Repository } from './fixtures.ts'

/** The code of a problem, what the case is about, a repository that has it, and its twin that does not. */
export type RefusalCase = readonly [code: string, what: string, bad: Repository, good: Repository]

/**
 * Registers a test for each case: refused for this problem alone, and the twin composes.
 *
 * @param place where the first problem has to be
 */
export function testRefusals(cases: readonly RefusalCase[], place = /^/): void {
  describe.each(cases)('%s: %s', (code, _what, bad, good) => {
    it('is refused, and its twin composes', async () => {
      const problems = await refused(bad)
      expect(new Set(problems.map((problem) => problem.code))).toEqual(new Set([code]))
      expect(problems[0]?.file).toMatch(place)
      await composed(good)
    })
  })
}

/** A tool's own file. */
export const inTool = /^apps\/(orders|identity)\/tools\/\w+\.graphql$/
