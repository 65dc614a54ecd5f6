import type { Problem } from '@behalf/composition'
import type { Terminal } from './run.ts'

/** Tells where a problem is, what it is, and what to do. */
export function reportProblem({ file, line, code, message, advice }: Problem, kind: string, terminal: Terminal): void {
  terminal.error(`${file}:${line}  ${kind}${code} ${message.trim().replaceAll(/\s*\n\s*/g, ' ')}`)
  terminal.error(`    ${advice}`)
}
