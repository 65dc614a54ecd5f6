import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Equivalent, judge } from './judge.ts'
import type { Mutant } from './run-mutants.ts'

const root = join(import.meta.dirname, '../..')

describe('the mutants', () => {
  it('of planted code survive where no test notices them, and nowhere else', { timeout: 300_000 }, async () => {
    const where = ['test/mutants/planted', '--file', 'door.ts', '--test', 'door.spec.ts']
    const args = ['--conditions=@behalf/source', 'test/mutants/main.ts', ...where]
    const ended = Promise.withResolvers<unknown>()
    const child = execFile(process.execPath, args, { cwd: root }, (_error, out, err) => ended.resolve(out + err))
    const output = await ended.promise
    expect([child.exitCode, output]).toEqual([1, expect.stringContaining('survived: test/mutants/planted/door.ts:10')])

    const path = join(root, '.reports/mutants/test-mutants-planted.json')
    const { mutants } = JSON.parse(await readFile(path, 'utf8')) as { mutants: Mutant[] }
    const described = (wanted: Mutant['outcome']) =>
      mutants
        .filter(({ outcome }) => outcome === wanted)
        .map(({ line, original, replacement }) => `${line}: ${original} -> ${replacement}`)
        .toSorted()
    expect(described('survived')).toEqual(['10: age < 18 -> age <= 18', '10: age < 18 -> false', '14: isKnown -> true'])
    expect(described('uncovered')).toEqual([
      `10: { age = 0 throw new Error('too young') } -> {}`,
      `12: throw new Error('too young') -> ;`,
    ])
    expect(described('killed')).toEqual(
      expect.arrayContaining([
        '3: age < 18 -> age <= 18',
        '3: age < 18 -> age >= 18',
        '3: age < 18 -> false',
        `3: throw new Error('too young') -> ;`,
        `4: guest?.name ?? 'somebody' -> 'somebody'`,
        `4: guest?.name ?? 'somebody' -> guest?.name`,
        '5: hosts.includes(name) && age >= 21 -> age >= 21',
        '5: hosts.includes(name) && age >= 21 -> hosts.includes(name) || age >= 21',
        '5: age >= 21 -> true',
        '5: age >= 21 -> age > 21',
        '6: isHost -> true',
        '6: isHost -> false',
        '14: isKnown -> false',
      ]),
    )
  })
})

describe('a survivor', () => {
  const survivor: Mutant = {
    file: 'a.ts',
    line: 5,
    nth: 1,
    text: 'if (age < 18) return',
    original: 'age < 18',
    replacement: 'age <= 18',
    mutator: 'EqualityOperator',
    outcome: 'survived',
    by: null,
    why: null,
  }
  const { file, text, original, replacement } = survivor
  const entry: Equivalent = { file, text, original, replacement, reason: 'nobody is 18' }

  it('is reported, unless its very change in its very line is known to change nothing', () => {
    expect(judge([survivor], [])).toEqual({ survivors: [survivor], excused: [], stale: [] })
    expect(judge([survivor], [entry])).toEqual({ survivors: [], excused: [survivor], stale: [] })
    for (const other of [{ text: 'age < 18 ? 1 : 2' }, { original: 'age < 17' }, { replacement: 'age > 18' }]) {
      const stale = { ...entry, ...other }
      expect(judge([survivor], [stale])).toEqual({ survivors: [survivor], excused: [], stale: [stale] })
    }
  })

  it('that is none any more makes its entry stale, in the files that were looked at', () => {
    const killed: Mutant = { ...survivor, outcome: 'killed' }
    const elsewhere = { ...entry, file: 'b.ts' }
    expect(judge([killed], [entry, elsewhere])).toEqual({ survivors: [], excused: [], stale: [entry] })
  })
})
