import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { outcomes } from './gateway-attacks/gateway-attack.ts'
import { gatewayAttacks } from './gateway-attacks/gateway-attacks.ts'
import { subgraphAttacks } from './subgraph-attacks/subgraph-attacks.ts'

const root = join(import.meta.dirname, '../../..')
const guide = readFileSync(join(root, 'docs/guides/testing.md'), 'utf8')
/** The blocks of the guide that begin with the name of their file. */
const files = new Map(
  Array.from(guide.matchAll(/^```\w+\n(?:\/\/|--|#) (\S+)\n\n?(.*?)^```$/gms), ([, name = '', text = '']) => [
    name,
    text,
  ]),
)
const ofTeam = [...files].filter(([name]) => !name.startsWith('test/'))

// What a team would have, with its tests, which are run as they stand.
const folder = join(import.meta.dirname, '../.reports/guide')
rmSync(folder, { recursive: true, force: true })
for (const [name, text] of ofTeam) {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), text)
}
const before = process.cwd()
process.chdir(folder)
afterAll(() => process.chdir(before))
const tests = ofTeam.map(([name]) => name).filter((name) => name.endsWith('.test.ts'))
for (const name of tests) await import(/* @vite-ignore */ join(folder, name))

describe('docs/guides/testing.md', () => {
  const rows = (columns: number) =>
    Array.from(guide.matchAll(/^\| (.*) \|$/gm), ([, row = '']) => row.split(' | ')).filter(
      (cells) => cells.length === columns && !/^(attack|---)/.test(cells[0] ?? ''),
    )

  it('shows a subgraph, its tests, and an attack on a gateway', () => {
    expect([...files.keys()]).toEqual([
      'src/schema.graphql',
      'migrations/001.sql',
      'src/subgraph.ts',
      'src/subgraph.test.ts',
      'src/attack.test.ts',
      'test/security/gateway.test.ts',
    ])
    expect(tests).toHaveLength(2)
  })

  it('has every attack on a subgraph', () => {
    const attacks = subgraphAttacks.map(({ name, promise, about, code }) => [
      name,
      promise,
      about,
      code === null ? '' : `\`${code}\``,
    ])
    expect(rows(4)).toEqual(attacks)
  })

  it('has every attack on a gateway', () => {
    expect(rows(3)).toEqual(gatewayAttacks.map(({ name, about, outcome }) => [name, about, outcomes[outcome]]))
  })

  it("shows how the project's own gateway is attacked", () => {
    const path = 'test/security/gateway.test.ts'
    expect(files.get(path)).toBe(readFileSync(join(root, path), 'utf8'))
  })
})
