import { randomUUID } from 'node:crypto'

/** Such as `run_0b1c...`: the kind and 122 random bits. */
export function newId(kind: 'cnv' | 'run' | 'msg'): string {
  return `${kind}_${randomUUID().replaceAll('-', '')}`
}
