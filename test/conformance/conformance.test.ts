import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runSuite, scenariosOf } from '../support/conformance-suite.ts'
import { startFixtureServer } from './fixture-server.ts'

const expectedFailures = join(import.meta.dirname, 'expected-failures.yaml')
const expected = new Set(
  Array.from(readFileSync(expectedFailures, 'utf8').matchAll(/^ {2}- (\S+)/gm), ([, name = '']) => name),
)
let server: Awaited<ReturnType<typeof startFixtureServer>>
beforeAll(async () => {
  server = await startFixtureServer()
})
afterAll(() => server[Symbol.asyncDispose]())

describe('[P10] the official MCP conformance suite', { timeout: 300_000 }, () => {
  it.each([
    ['2025-11-25', 30, 3],
    ['2026-07-28', 37, 13],
  ] as const)('of %s passes: all %d scenarios that count, and of %d more those without a reason', async (...given) => {
    const [revision, ...counts] = given
    const { scored, unscored } = await scenariosOf(revision)
    expect([scored.length, unscored.length]).toEqual(counts)
    const { passed } = await runSuite(server.url, ['--requirements', revision, '--expected-failures', expectedFailures])
    const isRed = (name: string) => !passed.includes(name)
    const count = (names: readonly string[]) => `${names.length - names.filter(isRed).length} of ${names.length}`
    console.info(`MCP conformance of ${revision}: ${count(scored)} scenarios, and ${count(unscored)} that do not count`)
    expect(scored.filter(isRed)).toEqual([])
    expect(unscored.filter(isRed)).toEqual(unscored.filter((name) => expected.has(name)))
  })
})
