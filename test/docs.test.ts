import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { auditKinds, errorTable } from '@behalf/identity'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { compared, runSteps, type Step, stepsOf, textPattern, withOpenParts } from './support/documents.ts'
import { root, startSystem, subgraphs, type System } from './support/system.ts'

/** A page has a dozen commands, some of them of three processes each. */
vi.setConfig({ testTimeout: 90_000 })

/** These two are what `startSystem` stands for; everything else runs as it is printed. */
const installAndStart = 'npm ci\nnpm start\n'

let system: System
beforeAll(async () => {
  system = await startSystem()
})
afterAll(async () => void (await system.stop()))

/** The same document for a system on other ports, with its logs elsewhere. */
function relocated(markdown: string): string {
  const { urls, dataDir } = system
  return markdown
    .replaceAll('http://127.0.0.1:4000', urls.gateway)
    .replaceAll('http://127.0.0.1:4102/graphql', urls.subgraphs.orders)
    .replaceAll('.behalf/logs', join(dataDir, 'logs'))
}

describe.each([
  'README.md',
  'docs/get-started/README.md',
  'docs/guides/revoke.md',
  'docs/guides/connect-an-mcp-client.md',
])('%s', (path) => {
  const markdown = readFileSync(join(root, path), 'utf8')

  it('begins with the two commands', () => {
    expect(stepsOf(markdown)[0]?.command).toBe(installAndStart)
  })

  it('prints what it says it prints', async () => {
    const steps: Step[] = stepsOf(relocated(markdown)).filter(({ command }) => command !== installAndStart)
    const printed = await runSteps(steps, { cwd: root, env: { ...system.env } })
    expect(printed).toHaveLength(steps.length)
    for (const [index, { line, answer }] of steps.entries()) {
      if (answer === null) continue
      const { actual, documented } = compared(printed[index] ?? '', answer)
      expect({ line, answer: actual }).toEqual({ line, answer: documented })
    }
  })
})

describe('the comparison', () => {
  it('goes red where an answer differs, and not where the document leaves it open', () => {
    expect(withOpenParts({ a: 1, txn: 'x' }, { a: 1, txn: '…' })).toEqual({ a: 1, txn: '…' })
    expect(withOpenParts({ a: 2, txn: 'x' }, { a: 1, txn: '…' })).not.toEqual({ a: 1, txn: '…' })
    expect(withOpenParts({ a: [1, 2] }, { a: ['…'] })).not.toEqual({ a: ['…'] })
    expect('OK in 7 ms\n└─ [x]').toMatch(textPattern('OK in … ms\n└─ [x]\n'))
    for (const other of ['OK in 7 ms\n└─ [y]', 'OK in 7 ms', 'OK in 7 ms\n└─ [x]\nmore', 'OK in 7\n ms\n└─ [x]'])
      expect(other).not.toMatch(textPattern('OK in … ms\n└─ [x]\n'))
  })
})

const reference = (name: string) => readFileSync(join(root, 'docs/reference', name), 'utf8')

describe('docs/reference/errors.md', () => {
  it('is the error table', () => {
    const rows = Array.from(
      reference('errors.md').matchAll(/^\| `(\w+)` \| (\d{3}) \| (.*?) \|$/gm),
      ([, code, status, message]) => [code, Number(status), message],
    )
    expect(rows).toEqual(Object.entries(errorTable).map(([code, { status, message }]) => [code, status, message]))
  })
})

describe('docs/reference/audit-events.md', () => {
  it('[P14] has every kind of event, and no other', () => {
    const [, kinds = ''] = reference('audit-events.md').split('\n## Kinds\n')
    const documented = Array.from((kinds.split('\n## ')[0] ?? '').matchAll(/^\| `([\w.]+)` \|/gm), ([, kind]) => kind)
    expect(documented).toHaveLength(auditKinds.length)
    expect(new Set(documented)).toEqual(new Set(auditKinds))
  })
})

describe('docs/reference/config.md', () => {
  const names = (text: string, pattern: RegExp) => new Set(Array.from(text.matchAll(pattern), ([, name = '']) => name))
  const documented = names(reference('config.md'), /`([A-Z][A-Z0-9_]+)`/g)
  const sources = [
    ...globSync('apps/*/src/config.ts', { cwd: root }),
    'packages/gateway/src/config/read-gateway-config.ts',
    'packages/subgraph/src/read-subgraph-config.ts',
  ]
  const read = new Map(
    sources.map((path) => [path, names(readFileSync(join(root, path), 'utf8'), /^\s+([A-Z][A-Z0-9_]+): /gm)]),
  )
  const portOf = (name: string) => `${name.toUpperCase()}_PORT`

  it.each(sources)('has every variable of %s', (path) => {
    expect([...(read.get(path) ?? [])].filter((name) => !documented.has(name))).toEqual([])
  })

  it('has every port', () => {
    // Of the demo: what else a team has made is in its behalf.json.
    expect(subgraphs.map(portOf).filter((name) => !documented.has(name))).toEqual([])
  })

  it('has no other', () => {
    const known = new Set([...subgraphs.map(portOf), ...[...read.values()].flatMap((found) => [...found])])
    expect(known.size).toBeGreaterThan(30)
    expect([...documented].filter((name) => !known.has(name))).toEqual([])
  })
})
