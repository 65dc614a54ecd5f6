import { getRandomValues } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'

/** Of one id, in bytes. */
const size = 16
/** Random bytes are asked for by the kilobyte: for each id alone they cost more than anything else of it. */
const pool = new Uint8Array(256 * size)
let used = pool.length

/** A new `txn`: UUIDv7 (RFC 9562 5.7). It is not a secret. */
export function makeTxn(): string {
  if (used === pool.length) {
    getRandomValues(pool)
    used = 0
  }
  return uuidv7({ random: pool.subarray(used, (used += size)) })
}
