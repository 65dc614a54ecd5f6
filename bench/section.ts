import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'

/** What can be measured by itself, with its part of docs/reference/performance.md. */
export interface Section<Result extends object> {
  /**
   * Measures, and tells what it knows as often as it knows more: a machine may be wanted back before the end.
   *
   * @param args - of the command line
   * @param known - what was measured before
   */
  measure(args: readonly string[], save: (result: Result) => void, known: Result | null): Promise<void>
  render(result: Result): string
}

/** When something was measured, and on what. */
export interface Circumstances {
  readonly measured: string
  readonly node: string
  readonly machine: string
  /** Processes that wanted to run, on average, at the end. */
  readonly load: number | undefined
}

export const circumstances = (): Circumstances => ({
  measured: new Date().toISOString(),
  node: process.version,
  machine: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
  load: loadavg()[0],
})

/** As a sentence has it. */
export const when = ({ measured, load }: Pick<Circumstances, 'measured' | 'load'>): string =>
  `${measured.slice(0, 10)}, load average ${load?.toFixed(1)}`

const results = join(import.meta.dirname, 'results')
const fileOf = (name: string) => join(results, `${name}.json`)

/** What was measured of a section; null if nothing was. */
export const readResult = (name: string): object | null =>
  existsSync(fileOf(name)) ? (JSON.parse(readFileSync(fileOf(name), 'utf8')) as object) : null

export function keepResult(name: string, result: object): void {
  mkdirSync(results, { recursive: true })
  writeFileSync(fileOf(name), `${JSON.stringify(result, null, 2)}\n`)
}
