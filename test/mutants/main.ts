/**
 * Changes every condition, comparison, guard and throw of the code that keeps the promises, one at a time, and tells
 * which change no test of its workspace notices: a check that could be lost without anybody being told.
 *
 *   npm run mutants -- [workspace] [--file <pattern>]... [--resume]
 *
 * Without a workspace: all of `targets.ts`, which takes an hour. Patterns are from the workspace's folder. Outcomes are
 * in `.reports/mutants`; with `--resume` what was told before and has not changed is not run again. Exits with 1 if a
 * mutant survived that is not in `equivalents.ts`, or an entry there fits none.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startEmbeddedPostgres } from '@behalf/postgres/embedded'
import { equivalents } from './equivalents.ts'
import { describeMutant, judge, table } from './judge.ts'
import { runStryker } from './run-stryker.ts'
import { targets } from './targets.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { file: { type: 'string', multiple: true }, resume: { type: 'boolean', default: false } },
})

const reports = '.reports/mutants'
mkdirSync(reports, { recursive: true })

let failed = false
for (const given of positionals.length > 0 ? positionals : Object.keys(targets)) {
  const workspace = given.replace(/\/$/, '')
  const patterns = values.file ?? targets[workspace]
  if (patterns === undefined) throw new Error(`targets.ts has nothing of "${workspace}": say --file, too.`)
  failed = !(await report(workspace, patterns)) || failed
}
process.exitCode = failed ? 1 : 0

/** Whether all is well. */
async function report(workspace: string, patterns: readonly string[]): Promise<boolean> {
  const name = workspace.replaceAll('/', '-')
  const began = performance.now()
  // One server for all, where each file of tests has a database: a new server for each mutant takes most of the time.
  const database = needsDatabase(workspace) ? await startEmbeddedPostgres() : undefined
  if (database) process.env['DATABASE_URL'] = database.url
  try {
    const files = patterns.map((pattern) => `${workspace}/${pattern}`)
    const memory = `${reports}/${name}.memory.json`
    const mutants = await runStryker({ workspace, files, memory, resume: values.resume })
    const judgement = judge(mutants, equivalents)
    const seconds = Math.round((performance.now() - began) / 1000)
    writeFileSync(`${reports}/${name}.json`, JSON.stringify({ seconds, ...judgement, mutants }, null, 2))
    console.log(`\n${table(mutants, judgement)}\n${seconds} s`)
    for (const mutant of judgement.survivors) console.log(`\nsurvived: ${describeMutant(mutant)}`)
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
