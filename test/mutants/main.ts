/**
 * Changes every condition, comparison, guard and throw of the code that keeps the promises, one at a time, and tells
 * which change no test notices: a check that could be lost without anybody being told.
 *
 *   npm run mutants -- [workspace] [--file <pattern>]... [--test <pattern>]... [--resume]
 *
 * Without a workspace: all of `targets.ts`. Patterns are from the workspace's folder; without `--test`, its tests are
 * those of `targets.ts`. Outcomes are in `.reports/mutants`; with `--resume` what was killed before, and has not
 * changed, is not run again. Exits with 1 if a mutant survived that is not in `equivalents.ts`, or an entry there fits
 * none.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbeddedPostgres } from '@behalf/postgres/embedded'
import { equivalents } from './equivalents.ts'
import { describeMutant, judge, table } from './judge.ts'
import { type Mutant, runMutants } from './run-mutants.ts'
import { type Target, targets } from './targets.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    file: { type: 'string', multiple: true },
    test: { type: 'string', multiple: true },
    resume: { type: 'boolean', default: false },
  },
})

interface Report {
  readonly mutants: readonly Mutant[]
}

const reports = resolve('.reports/mutants')
mkdirSync(reports, { recursive: true })

let failed = false
for (const given of positionals.length > 0 ? positionals : Object.keys(targets)) {
  const workspace = given.replace(/\/$/, '')
  const wanted = values.file && [{ files: values.file, tests: values.test ?? ['src/**/*.test.ts'] }]
  const parts = wanted ?? targets[workspace]
  if (!parts) throw new Error(`targets.ts has nothing of "${workspace}": say --file, too.`)
  failed = !(await report(workspace, parts)) || failed
}
process.exitCode = failed ? 1 : 0

/** Whether all is well. */
async function report(workspace: string, parts: readonly Target[]): Promise<boolean> {
  const path = `${reports}/${workspace.replaceAll('/', '-')}.json`
  const began = performance.now()
  // One server for all, where each file of tests has a database.
  const database = needsDatabase(workspace) ? await startEmbeddedPostgres() : undefined
  if (database) process.env['DATABASE_URL'] = database.url
  try {
    const earlier = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Report).mutants : []
    const mutants: Mutant[] = []
    const save = (more: readonly Mutant[]) => {
      const files = new Set([...mutants, ...more].map(({ file }) => file))
      const others = earlier.filter(({ file }) => !files.has(file))
      writeFileSync(path, JSON.stringify({ mutants: [...others, ...mutants, ...more] }, null, 2))
    }
    for (const part of parts)
      mutants.push(...(await runMutants({ workspace, ...part, known: values.resume ? earlier : [], save })))
    save([])
    const judgement = judge(mutants, equivalents)
    console.log(`\n${table(mutants, judgement)}\n${Math.round((performance.now() - began) / 1000)} s`)
    for (const mutant of judgement.survivors) console.log(`\n${describeMutant(mutant)}`)
    for (const entry of judgement.stale)
      console.log(`\nequivalents.ts: fits nothing: ${JSON.stringify(entry, null, 2)}`)
    return judgement.survivors.length === 0 && judgement.stale.length === 0
  } finally {
    await database?.close()
    if (database) delete process.env['DATABASE_URL']
  }
}

/** Whether its tests ask for a database, and nobody has named one. */
function needsDatabase(workspace: string): boolean {
  const manifest = `${workspace}/package.json`
  if (process.env['DATABASE_URL'] !== undefined || !existsSync(manifest)) return false
  return readFileSync(manifest, 'utf8').includes('@behalf/postgres')
}
