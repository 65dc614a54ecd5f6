import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './system.ts'

const suite = join(root, 'node_modules/@modelcontextprotocol/conformance')

/** The scenarios of a revision that are about servers: those that count, and others that are run, too. */
export async function scenariosOf(
  revision: string,
): Promise<{ readonly scored: string[]; readonly unscored: string[] }> {
  const text = await readFile(join(suite, `requirements/${revision}.yaml`), 'utf8')
  const [, list = ''] = /^server:\n((?: +(?:- .*|#.*)\n|\n)*)/m.exec(text) ?? []
  const names = (from: string, pattern: RegExp) => Array.from(from.matchAll(pattern), ([, name = '']) => name)
  return {
    scored: names(list, /^ +- (\S+)/gm),
    unscored: names(text, /^ +- scenario: (\S+)\n +leg: server$/gm),
  }
}

/**
 * Runs the official suite as its command line does. A scenario has passed where it checked something and nothing of that
 * failed: a server that refuses everything passes many checks, and no scenario.
 */
export async function runSuite(
  url: string,
  options: readonly string[],
): Promise<{ readonly exitCode: number | null; readonly passed: readonly string[] }> {
  const results = await mkdtemp(join(tmpdir(), 'behalf-conformance-'))
  const args = [join(suite, 'dist/index.js'), 'server', '--url', url, ...options, '-o', results]
  const child = spawn(process.execPath, args, { stdio: 'ignore' })
  const [exitCode] = (await once(child, 'close')) as [number | null]
  const passed = []
  for (const folder of await readdir(results)) {
    const name = /^server-(.+)-\d{4}-\d{2}-\d{2}T/.exec(folder)?.[1]
    const checks = JSON.parse(await readFile(join(results, folder, 'checks.json'), 'utf8')) as { status: string }[]
    const isGreen = checks.length > 0 && checks.every(({ status }) => !/FAILURE|WARNING/.test(status))
    if (name !== undefined && isGreen) passed.push(name)
  }
  await rm(results, { recursive: true })
  return { exitCode, passed }
}
