import { randomUUID } from 'node:crypto'

/** Such as `run_0b1c...`: the kind and 122 random bits. */
export function newId(kind: 'cnv' | 'run' | 'msg'): string {
  return `${kind}_${randomUUID().replaceAll('-', '')}`
}

/** A run has one answer, which is known by its id before it is stored: its text is told of while it is written. */
export const answerIdOf = (run: string): string => run.replace(/^run_/, 'msg_')
