import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runSuite, scenariosOf } from '../support/conformance-suite.ts'
import { startFixtureServer } from './fixture-server.ts'

const expectedFailures = join(import.meta.dirname, 'expected-failures.yaml')
let server: Awaited<ReturnType<typeof startFixtureServer>>
beforeAll(async () => {
  server = await startFixtureServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const needsSession = [
  'tools-call-sampling',
  'tools-call-elicitation',
  'elicitation-sep1034-defaults',
  'server-sse-multiple-streams',
  'elicitation-sep1330-enums',
]
/** What is about web pages is asked of the gateway, in e2e/mcp.test.ts. */
const atTheGateway = 'dns-rebinding-protection'

describe('[P10] the official MCP conformance suite', { timeout: 300_000 }, () => {
  it.each([
    ['2025-11-25', 30, [...needsSession, atTheGateway]],
    ['2026-07-28', 37, [atTheGateway]],
  ] as const)('of %s passes: all %d scenarios of a server but those with a reason', async (revision, count, red) => {
    const scenarios = await scenariosOf(revision)
    expect(scenarios).toHaveLength(count)
    const options = ['--requirements', revision, '--expected-failures', expectedFailures]
    const { passed } = await runSuite(server.url, options)
    expect(scenarios.filter((name) => !passed.includes(name))).toEqual(red)
  })
})
