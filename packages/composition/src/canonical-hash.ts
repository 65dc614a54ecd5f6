import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'

/** base64url SHA-256 of the RFC 8785 form of `value`. */
export function canonicalHash(value: unknown): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('There is no JSON for this value.')
  return createHash('sha256').update(text).digest('base64url')
}
